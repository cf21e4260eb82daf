"""Pulumi as a user finds it: the CLI with its language host, the plugins installed, a backend on this machine.

The backend and its passphrase stand beside the platform's state, not in a checkout: every clone sees the same stacks.
"""

import hashlib
import os
import shutil
from pathlib import Path

from local.cluster import CONTEXT
from local.paths import BACKEND, BUILDX, CACHE, KUBECONFIG, PASSPHRASE
from local.progress import run, step
from local.toolchain import PLUGINS, TOOLS, Toolchain


def home() -> Path:
    """Return Pulumi's home folder for this toolchain: another version of a tool has another home."""
    names = ("pulumi", "pulumi-language-python", *(f"pulumi-resource-{name}" for name in PLUGINS))
    digests = "".join(tool.digest() for tool in TOOLS if tool.name in names)
    return CACHE / f"pulumi-{hashlib.sha256(digests.encode()).hexdigest()[:12]}"


def ensure(tools: Toolchain) -> None:
    """Put the CLI and the language host side by side, where the CLI looks for it, and install the plugins."""
    target = home()
    BACKEND.mkdir(parents=True, exist_ok=True, mode=0o700)
    if (target / "complete").exists():
        return
    with step("Pulumi's plugins"):
        shutil.rmtree(target, ignore_errors=True)
        (target / "bin").mkdir(parents=True)
        scripts = tools.assets("pulumi-language-python")
        for path in (tools["pulumi"], tools["pulumi-language-python"], *scripts):
            shutil.copy(path, target / "bin" / path.name)
            (target / "bin" / path.name).chmod(0o755)
        for name, version in PLUGINS.items():
            binary = tools[f"pulumi-resource-{name}"]
            install = [target / "bin" / "pulumi", "plugin", "install", "resource", name, version, "--file", binary]
            run(install, log="pulumi", env={"PULUMI_HOME": str(target), "PULUMI_SKIP_UPDATE_CHECK": "true"})
        (target / "complete").touch()


def backend_url(folder: Path) -> str:
    """Return the URL of a backend in `folder`.

    It keeps no metadata: the file for them, beside that of a stack's state, is written in place and not in one step.
    Where it is cut short, by an update that is killed just then, Pulumi cannot read the state any more.
    https://pkg.go.dev/gocloud.dev/blob/fileblob#URLOpener
    """
    return f"file://{folder}?metadata=skip"


def environment(tools: Toolchain) -> dict[str, str]:
    """Return the variables by which `pulumi`, `kubectl`, `buildctl` and `promtool` find the platform."""
    folders = [home() / "bin", *(tools[name].parent for name in ("kubectl", "buildctl", "promtool"))]
    path = os.environ.get("PATH", "").split(os.pathsep)
    front = [str(folder) for folder in dict.fromkeys(folders)]
    return {
        "PATH": os.pathsep.join([*front, *(entry for entry in path if entry not in front)]),
        "KUBECONFIG": str(KUBECONFIG),
        "BUILDX_BUILDER": CONTEXT,
        "BUILDX_CONFIG": str(BUILDX),
        "PULUMI_HOME": str(home()),
        "PULUMI_BACKEND_URL": backend_url(BACKEND),
        "PULUMI_CONFIG_PASSPHRASE_FILE": str(PASSPHRASE),
        # A second clone takes the stack's own encryption salt instead of making one that differs.
        "PULUMI_FALLBACK_TO_STATE_SECRETS_MANAGER": "true",
        "PULUMI_SKIP_UPDATE_CHECK": "true",
        # The engine and its plugins live for seconds: to collect less garbage makes an update 0.5 s shorter (measured).
        "GOGC": "400",
    }
