"""What all tests share: where they find the packages of app/, each as it is in its image, and a patient collector."""

import gc
import sys
from pathlib import Path

# What tests import stays until the end; at the usual threshold the collector would walk all of it again and again.
gc.set_threshold(50_000)

sys.path += sorted(map(str, (Path(__file__).parents[1] / "app").glob("*/")))
