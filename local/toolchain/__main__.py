"""`python -m local.toolchain NAME`: build one tool where it is missing, for those who need no platform."""

import sys

from rich.markup import escape

from local import toolchain
from local.errors import PlatformError
from local.progress import console

if __name__ == "__main__":
    try:
        toolchain.ensure(sys.argv[1])
    except PlatformError as error:
        console.print("[red]error:[/red]", escape(str(error)), soft_wrap=True)
        sys.exit(1)
