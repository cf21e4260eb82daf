"""Prometheus' own checker, over what a stack's Prometheus would be given."""

import subprocess
from collections.abc import Mapping
from pathlib import Path

from components.prometheus import FOLDER

_ACCOUNT = "/var/run/secrets/kubernetes.io/serviceaccount"


def said(promtool: Path, *arguments: str | Path) -> str:
    """Return what promtool has to complain about; nothing if it accepts."""
    command = [str(promtool), *map(str, arguments)]
    result = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - upstream's checker
    return result.stdout + result.stderr if result.returncode else ""


def about_config(promtool: Path, files: Mapping[str, str], folder: Path) -> str:
    """Return what promtool has to complain about the `files` of a Prometheus, laid out in `folder`."""
    for name in ("token", "ca.crt"):
        (folder / name).touch()
    for name, content in files.items():
        (folder / name).write_text(content.replace(FOLDER, str(folder)).replace(_ACCOUNT, str(folder)))
    return said(promtool, "check", "config", folder / "prometheus.yml")
