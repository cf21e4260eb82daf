"""What the image says that it is made of."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import sbom
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

from services import SERVICES

SCRIPT = Path(sbom.__file__)
FLASK = "Name: Flask_App\nVersion: 3.1.3+local\nLicense-Expression: BSD-3-Clause\n\nAbout Flask."
DEBIAN = "Package: zlib1g\nVersion: 1:1.2.13\nArchitecture: amd64\nDescription: a library\n that compresses\n"


@pytest.fixture
def site_packages(tmp_path: Path) -> Path:
    """Return a folder that pip could have installed a package to."""
    return installed(tmp_path / "site-packages", "flask", FLASK)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Return the root file system of a base with one Debian package, as distroless has it."""
    for name, text in {
        "etc/os-release": 'NAME="Debian GNU/Linux"\nVERSION_ID="12"\n',
        "var/lib/dpkg/status.d/zlib1g": DEBIAN,
        "var/lib/dpkg/status.d/zlib1g.md5sums": "d41d8cd98f00b204e9800998ecf8427e  usr/lib/libz.so.1\n",
    }.items():
        file = tmp_path / "root" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    return tmp_path / "root"


def installed(folder: Path, name: str, metadata: str) -> Path:
    info = folder / f"{name}-1.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(metadata)
    return folder


def licences(tmp_path: Path, metadata: str) -> Any:
    (found,) = sbom.python_packages(installed(tmp_path, "a", f"Name: a\nVersion: 1\n{metadata}\n"))
    return found.get("licenses")


def test_python_and_debian_packages_are_named_by_their_package_urls(site_packages: Path, root: Path) -> None:
    python, debian = "pkg:pypi/flask-app@3.1.3%2Blocal", "pkg:deb/debian/zlib1g@1%3A1.2.13?arch=amd64&distro=debian-12"
    document = sbom.document("webapp", site_packages, root)
    assert {one["purl"]: (one["name"], one["version"]) for one in document["components"]} == {
        python: ("Flask_App", "3.1.3+local"),
        debian: ("zlib1g", "1:1.2.13"),
    }
    assert document["dependencies"] == [{"ref": "webapp", "dependsOn": [debian, python]}]


def test_the_document_is_as_cyclonedx_has_it(site_packages: Path, root: Path) -> None:
    validator = JsonStrictValidator(SchemaVersion.V1_6)
    document = sbom.document("webapp", site_packages, root)
    assert validator.validate_str(json.dumps(document)) is None
    document["components"][0]["type"] = "parcel"
    assert validator.validate_str(json.dumps(document)) is not None


def test_the_same_content_is_the_same_document(site_packages: Path, root: Path) -> None:
    command = [sys.executable, str(SCRIPT), "webapp", str(site_packages), str(root)]
    first, second = (subprocess.run(command, capture_output=True, check=True).stdout for _ in range(2))
    assert json.loads(first)["metadata"]["component"]["name"] == "webapp"
    assert first == second


def test_a_base_where_dpkg_keeps_one_file_is_understood_too(site_packages: Path, tmp_path: Path) -> None:
    status = tmp_path / "slim/var/lib/dpkg/status"
    status.parent.mkdir(parents=True)
    status.write_text(f"{DEBIAN}\n{DEBIAN.replace('zlib1g', 'tzdata')}")
    components = sbom.document("webapp", site_packages, tmp_path / "slim")["components"]
    assert [one["name"] for one in components] == ["tzdata", "zlib1g", "Flask_App"]


def test_a_base_that_says_nothing_leaves_the_python_packages(site_packages: Path, tmp_path: Path) -> None:
    (only,) = sbom.document("webapp", site_packages, tmp_path)["components"]
    assert only["name"] == "Flask_App"


def test_an_image_without_python_packages_is_a_mistake(root: Path, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="found no Python package in"):
        sbom.document("webapp", tmp_path / "nothing", root)


@pytest.mark.parametrize(
    ("metadata", "found"),
    [
        ("License-Expression: MIT OR Apache-2.0", [{"expression": "MIT OR Apache-2.0"}]),
        ("Classifier: License :: OSI Approved :: MIT License", [{"license": {"name": "MIT License"}}]),
        ("License: BSD\n  with more lines", [{"license": {"name": "BSD"}}]),
        ("", None),
    ],
)
def test_a_licence_is_said_as_the_package_says_it(metadata: str, found: Any, tmp_path: Path) -> None:
    assert licences(tmp_path, metadata) == found


@pytest.mark.parametrize("app", [service.name for service in SERVICES])
def test_the_installed_packages_of_an_app_are_all_found(app: str) -> None:
    lock = (SCRIPT.parent / app / "requirements.lock").read_text()
    pinned = {line.split("==")[0] for line in lock.splitlines() if "==" in line and not line.startswith((" ", "#"))}
    here = Path(pytest.__file__).parents[1]
    found = {one["purl"].split("/")[1].split("@")[0] for one in sbom.python_packages(here)}
    assert len(pinned) > 5
    assert pinned <= found
