"""`python -m local.audit`: ask pip-audit whether what the locks pin has known vulnerabilities.

It asks PyPI, or the service that `PIP_AUDIT_VULNERABILITY_SERVICE` names (`osv`, `esms`). An audit that got no answer
has failed: pip-audit by itself calls a package skipped that its service does not know, and succeeds.
"""

import json
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from rich.markup import escape

from local.errors import PlatformError
from local.paths import CHECKOUT
from local.progress import console

COMMAND = ("pip_audit", "--format=json", "--disable-pip", "--require-hashes", "--progress-spinner=off", "--aliases=on")
UNANSWERED = (
    "This says nothing about vulnerabilities. Run it where the service can be reached, or have another one asked: "
    "PIP_AUDIT_VULNERABILITY_SERVICE=osv make audit"
)


def locks() -> list[Path]:
    """Return every lock of the checkout: the program's, the tools' and the apps'."""
    return sorted([*CHECKOUT.glob("requirements*.lock"), *CHECKOUT.glob("app/*/requirements.lock")])


def report(lock: Path) -> dict[str, Any]:
    """Return pip-audit's report on a lock; raises `PlatformError` if there is none."""
    command = [sys.executable, "-m", *COMMAND, f"--requirement={lock}"]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    try:
        found: dict[str, Any] = json.loads(result.stdout)
    except ValueError as error:
        said = result.stderr.strip().splitlines()[-1:] or ["nothing"]
        raise PlatformError(f"pip-audit made no report; what it said last: {said[0]}\n{UNANSWERED}") from error
    return found


def problems(lock: str, found: Mapping[str, Any]) -> Iterator[str]:
    """Yield what is wrong with the packages of `lock`, as the report `found` says."""
    packages = found["dependencies"]
    for package in packages:
        for vulnerability in package.get("vulns", []):
            names = ", ".join([vulnerability["id"], *vulnerability["aliases"]])
            fixed = " or ".join(vulnerability["fix_versions"]) or "no version yet"
            yield f"{lock}: {package['name']} {package['version']} has {names}; fixed in {fixed}"
    skipped = [package["skip_reason"] for package in packages if "skip_reason" in package]
    if skipped:
        count = f"{len(skipped)} of {len(packages)}"
        yield f"{lock}: got no answer for {count} packages; the first: {skipped[0]}. {UNANSWERED}"
    if not packages:
        yield f"{lock}: has no packages that could be looked up; is it a lock made by `make lock`?"


def main() -> None:
    """Print every problem; exit code 1 if there is one."""
    wrong = False
    try:
        for lock in locks():
            name, found = str(lock.relative_to(CHECKOUT)), report(lock)
            said = list(problems(name, found))
            for problem in said:
                console.print("[red]error:[/red]", escape(problem), soft_wrap=True)
            if not said:
                console.print(f"{name}: {len(found['dependencies'])} packages without a known vulnerability")
            wrong |= bool(said)
    except PlatformError as error:
        console.print("[red]error:[/red]", escape(str(error)), soft_wrap=True)
        wrong = True
    sys.exit(wrong)


if __name__ == "__main__":
    main()
