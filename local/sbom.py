"""`python -m local.sbom STACK SERVICE`: print the SBOM of the image that a service runs.

The image's build made it, as a CycloneDX document; here it is only taken out of the registry, by the digest that is
deployed. From a checkout, any builder gives the same:
`docker buildx build --target sbom --output . --file app/webapp/Dockerfile app`.
"""

import argparse
import io
import sys
import tarfile
from typing import Any

import httpx
from rich.markup import escape

from local import node, pulumi_home, toolchain
from local.errors import PlatformError
from local.progress import console
from local.stack import Stack

FILE = "app/sbom.cdx.json"
"""Where it stands in the image."""

MANIFESTS = (
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
    "application/vnd.docker.distribution.manifest.v2+json",
)


def of(image: str) -> bytes:
    """Return the SBOM in an image.

    Args:
        image: `host/repository@digest`, in a registry without TLS and login, as the platform's is.

    Raises:
        PlatformError: if the registry has no such image, or the image no SBOM.
    """
    host, _, rest = image.partition("/")
    repository, _, digest = rest.partition("@")
    with httpx.Client(base_url=f"http://{host}/v2/{repository}", trust_env=False, timeout=60) as registry:
        # What was put in last is in the last layers; the base, which is most of the image, comes first.
        for layer in reversed(_manifest(registry, image, digest)["layers"]):
            found = in_layer(_get(registry, image, f"/blobs/{layer['digest']}").content)
            if found is not None:
                return found
    raise PlatformError(f"{image} has no {FILE}: it was built from a Dockerfile without the stage `sbom`.")


def in_layer(layer: bytes) -> bytes | None:
    """Return the SBOM if this layer, a tar that may be compressed, holds it."""
    with tarfile.open(fileobj=io.BytesIO(layer)) as tar:
        members = [member for member in tar if member.name.removeprefix("./") == FILE]
        file = tar.extractfile(members[-1]) if members else None
        return file.read() if file else None


def _manifest(registry: httpx.Client, image: str, digest: str) -> dict[str, Any]:
    """Return an image's manifest; of an image for several platforms, the first one's."""
    found: dict[str, Any] = _get(registry, image, f"/manifests/{digest}").json()
    return _manifest(registry, image, found["manifests"][0]["digest"]) if "manifests" in found else found


def _get(registry: httpx.Client, image: str, path: str) -> httpx.Response:
    try:
        answer = registry.get(path, headers={"Accept": ", ".join(MANIFESTS)})
    except httpx.TransportError as error:
        raise PlatformError(
            f"The registry of {image} does not answer ({error}). 'make status' shows what runs."
        ) from error
    if not answer.is_success:
        raise PlatformError(f"The registry has no {path} of {image}: it answers {answer.status_code}.")
    return answer


def deployed(name: str, service: str) -> str:
    """Return the image that a service of a stack runs; raises `PlatformError` if it runs none."""
    if node.running() is None:
        raise PlatformError("The platform does not run. 'make up' starts it.")
    stack = Stack(name, pulumi_home.environment(toolchain.ensure()))
    images: dict[str, str] = stack.outputs().get("images", {}) if stack.exists() else {}
    if service not in images:
        raise PlatformError(f"The stack {name} runs no image of {service}. 'make up STACK={name}' deploys what it has.")
    return images[service]


def main() -> None:
    """Print the SBOM; a problem is said on standard error, with exit code 1."""
    parser = argparse.ArgumentParser(prog="python -m local.sbom", description=__doc__)
    parser.add_argument("stack", help="the stack's name, as in Pulumi.<stack>.yaml")
    parser.add_argument("service", help="the service's name")
    arguments = parser.parse_args()
    try:
        sys.stdout.buffer.write(of(deployed(arguments.stack, arguments.service)))
    except PlatformError as error:
        console.print("[red]error:[/red]", escape(str(error)), soft_wrap=True)
        sys.exit(1)


if __name__ == "__main__":
    main()
