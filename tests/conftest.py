"""Where the tests find the packages of app/, each as it is in its image."""

import sys
from pathlib import Path

sys.path += sorted(map(str, (Path(__file__).parents[1] / "app").glob("*/")))
