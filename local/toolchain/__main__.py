"""`python -m local.toolchain NAME…`: build tools where they are missing, for those who need no platform."""

import sys

from rich.markup import escape

from local import toolchain
from local.errors import PlatformError
from local.progress import console

if __name__ == "__main__":
    try:
        for name in sys.argv[1:]:
            toolchain.ensure(name)
    except PlatformError as error:
        console.print("[red]error:[/red]", escape(str(error)), soft_wrap=True)
        sys.exit(1)
