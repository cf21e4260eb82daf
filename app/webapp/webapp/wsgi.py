"""The WSGI application that each of gunicorn's workers loads."""

from webapp import create_app
from webapp.server import CONFIG, LIFECYCLE

app = create_app(CONFIG, LIFECYCLE)
