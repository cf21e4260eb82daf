"""Where the embedded platform keeps its things: one platform a machine, so none of it depends on the checkout.

`CACHE` holds what can be made again (binaries, root file systems); `STATE` holds what the platform is (keys, etcd,
registry, Pulumi's state); `RUN` holds what lives as long as its processes (sockets, process ids).
"""

import os
from pathlib import Path

CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "cloudnative"
STATE = Path("/var/lib/cloudnative")
RUN = Path("/run/cloudnative")

LOGS = STATE / "log"  # of the programs that run
BUILD_LOGS = CACHE / "log"  # of the commands that set them up; a build needs no root
KUBECONFIG = STATE / "kubeconfig"
BACKEND = STATE / "pulumi"
PASSPHRASE = STATE / "passphrase"
BUILDX = STATE / "buildx"

HERE = Path(__file__).parent
CHECKOUT = HERE.parent
