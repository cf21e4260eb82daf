"""`python3 sbom.py NAME SITE_PACKAGES ROOT`: print what an image is made of, as a CycloneDX document.

Run by the Dockerfile, on nothing but the standard library. It lists the Python packages in SITE_PACKAGES, and the
Debian packages that the base's root file system ROOT says it consists of, whether or not a base took all of each. The
same content gives the same document, without time and serial number: otherwise each build would be another image.

Sources: https://cyclonedx.org/docs/1.6/json/ and https://github.com/package-url/purl-spec.
"""

import json
import sys
from collections.abc import Iterator
from email.message import Message
from email.parser import HeaderParser
from importlib.metadata import distributions
from pathlib import Path
from typing import Any
from urllib.parse import quote


def python_packages(site_packages: Path) -> Iterator[dict[str, Any]]:
    """Yield a component for each Python package that is installed in a folder."""
    for distribution in distributions(path=[str(site_packages)]):
        metadata = HeaderParser().parsestr(distribution.read_text("METADATA") or "")
        name, version = metadata["Name"], metadata["Version"]
        purl = f"pkg:pypi/{name.lower().replace('_', '-')}@{quote(version, safe='')}"
        yield component(name, version, purl, licences(metadata))


def licences(metadata: Message) -> list[dict[str, Any]]:
    """Return the licences of a Python package: by SPDX expression, by classifier, or as its author put it."""
    expression = metadata["License-Expression"]
    if expression:
        return [{"expression": expression}]
    classifiers = [line for line in metadata.get_all("Classifier", []) if line.startswith("License :: ")]
    names = [line.rpartition(" :: ")[2] for line in classifiers] or (metadata["License"] or "").splitlines()[:1]
    return [{"license": {"name": name}} for name in names]


def debian_packages(root: Path) -> Iterator[dict[str, Any]]:
    """Yield a component for each Debian package of a root file system, listed as dpkg does or as distroless does."""
    dpkg = root / "var/lib/dpkg"
    files = [dpkg / "status", *dpkg.glob("status.d/*")]
    texts = [
        file.read_text(encoding="utf-8") for file in files if file.is_file() and not file.name.endswith(".md5sums")
    ]
    for paragraph in "\n\n".join(texts).split("\n\n"):
        fields = HeaderParser().parsestr(paragraph.lstrip())
        name, version = fields["Package"], fields["Version"]
        if name and version:
            purl = f"pkg:deb/debian/{name}@{quote(version, safe='')}?arch={fields['Architecture']}{distribution(root)}"
            yield component(name, version, purl, [])


def distribution(root: Path) -> str:
    """Return what the package URLs of a root file system's packages end with, from its os-release."""
    for path in (root / "etc/os-release", root / "usr/lib/os-release"):
        if path.is_file():
            lines = dict(line.split("=", 1) for line in path.read_text(encoding="utf-8").splitlines() if "=" in line)
            return f"&distro=debian-{lines.get('VERSION_ID', '').strip(chr(34))}"
    return ""


def component(name: str, version: str, purl: str, licences: list[dict[str, Any]]) -> dict[str, Any]:
    """Return a package as CycloneDX has it."""
    found: dict[str, Any] = {"bom-ref": purl, "type": "library", "name": name, "version": version, "purl": purl}
    return {**found, "licenses": licences} if licences else found


def document(name: str, site_packages: Path, root: Path) -> dict[str, Any]:
    """Return the document of the image called `name`; raises `ValueError` if no Python package is found."""
    python, debian = list(python_packages(site_packages)), list(debian_packages(root))
    if not python:
        raise ValueError(f"found no Python package in {site_packages}; is it the folder that pip installed to?")
    components = sorted([*python, *debian], key=lambda one: one["purl"])
    return {
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {"component": {"bom-ref": name, "type": "container", "name": name}},
        "components": components,
        "dependencies": [{"ref": name, "dependsOn": [one["bom-ref"] for one in components]}],
    }


if __name__ == "__main__":
    json.dump(document(sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3])), sys.stdout, indent=1)
