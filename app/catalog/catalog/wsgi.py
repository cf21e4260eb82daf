"""The WSGI application that each of gunicorn's workers loads."""

import os

from chassis.server import LIFECYCLE

from catalog import create_app
from catalog.config import Config

app = create_app(Config.from_env(os.environ), LIFECYCLE)
