"""YAML as the program writes it: the same value always gives the same text, and in a moment.

By libyaml, which PyYAML's wheels have with them: in Python, the rules of one service would take 50 ms of every update.
"""

from typing import Any

import yaml


def to_yaml(value: Any) -> str:
    """Return `value` as YAML, with sorted keys and each scalar on one line."""
    return str(yaml.dump(value, Dumper=yaml.CSafeDumper, sort_keys=True, width=-1))
