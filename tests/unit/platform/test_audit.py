"""What an audit of the locks lets pass: only what was looked up and found to be fine."""

import subprocess
from pathlib import Path
from typing import Any

import pytest

from local import audit
from local.errors import PlatformError
from local.paths import CHECKOUT
from services import SERVICES

FINE = {"name": "flask", "version": "3.1.3", "vulns": []}
BAD = {
    "name": "jinja2",
    "version": "3.1.1",
    "vulns": [{"id": "PYSEC-1", "aliases": ["CVE-2"], "fix_versions": ["3.1.2", "3.2.0"]}],
}
UNFIXED = {"name": "click", "version": "8.0.0", "vulns": [{"id": "PYSEC-2", "aliases": [], "fix_versions": []}]}
SKIPPED = {"name": "idna", "skip_reason": "Dependency not found"}


def said(*packages: dict[str, Any]) -> list[str]:
    return list(audit.problems("a.lock", {"dependencies": list(packages), "fixes": []}))


def test_packages_without_vulnerabilities_are_fine() -> None:
    assert not said(FINE)


def test_a_vulnerability_is_named_with_its_package_and_what_fixes_it() -> None:
    assert said(FINE, BAD, UNFIXED) == [
        "a.lock: jinja2 3.1.1 has PYSEC-1, CVE-2; fixed in 3.1.2 or 3.2.0",
        "a.lock: click 8.0.0 has PYSEC-2; fixed in no version yet",
    ]


def test_a_package_that_was_not_looked_up_is_a_failure() -> None:
    (problem,) = said(FINE, SKIPPED)
    assert problem.startswith(
        "a.lock: got no answer for 1 of 2 packages; the first: Dependency not found. This says nothing"
    )


def test_a_lock_without_packages_is_a_failure() -> None:
    (problem,) = said()
    assert problem.startswith("a.lock: has no packages")


def test_an_audit_that_made_no_report_fails_with_the_last_word_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    ended = subprocess.CompletedProcess(args=[], returncode=1, stdout="", stderr="Traceback\nno such host\n")
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: ended)
    with pytest.raises(PlatformError, match=r"what it said last: no such host\nThis says nothing"):
        audit.report(Path("a.lock"))


@pytest.mark.parametrize(("package", "code"), [(FINE, 0), (BAD, 1), (SKIPPED, 1)])
def test_the_exit_code_says_whether_all_is_fine(
    package: dict[str, Any], code: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(audit, "report", lambda _: {"dependencies": [package]})
    with pytest.raises(SystemExit) as exit_:
        audit.main()
    assert exit_.value.code == code


def test_every_lock_is_looked_at() -> None:
    assert [str(lock.relative_to(CHECKOUT)) for lock in audit.locks()] == [
        *sorted(f"app/{service.name}/requirements.lock" for service in SERVICES),
        "requirements-bootstrap.lock",
        "requirements-dev.lock",
        "requirements.lock",
    ]
