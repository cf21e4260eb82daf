"""How an image's SBOM is taken out of a registry."""

import io
import json
import tarfile
from collections.abc import Callable

import httpx
import pytest

from local import sbom
from local.errors import PlatformError

IMAGE = "registry.example.com/team/shop@sha256:1"
DOCUMENT = b'{"bomFormat": "CycloneDX"}'


def layer(name: str, content: bytes) -> bytes:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w:gz") as tar:
        member = tarfile.TarInfo(name)
        member.size = len(content)
        tar.addfile(member, io.BytesIO(content))
    return file.getvalue()


BLOBS = {
    "base": layer("usr/bin/python3", b""),
    "listed": layer("app/sbom.cdx.json", DOCUMENT),
    "app": layer("app/x", b""),
}


@pytest.fixture
def serve(monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[str]]:
    """Put a registry that gives these answers in the place of every other; returns the paths it is asked for."""

    def serve(answers: dict[str, bytes]) -> list[str]:
        asked: list[str] = []

        def answer(request: httpx.Request) -> httpx.Response:
            asked.append(request.url.path.removeprefix("/v2/team/shop"))
            found = answers.get(asked[-1])
            return httpx.Response(404 if found is None else 200, content=found or b"")

        client = httpx.Client
        transport = httpx.MockTransport(answer)
        monkeypatch.setattr(httpx, "Client", lambda **options: client(transport=transport, **options))
        return asked

    return serve


def manifest(*layers: str) -> bytes:
    return json.dumps({"layers": [{"digest": digest} for digest in layers]}).encode()


def blobs(*names: str) -> dict[str, bytes]:
    return {f"/blobs/{name}": BLOBS[name] for name in names}


def test_it_is_looked_for_from_the_last_layer_so_that_the_base_is_not_fetched(serve: Callable[..., list[str]]) -> None:
    asked = serve({"/manifests/sha256:1": manifest("base", "listed", "app"), **blobs("base", "listed", "app")})
    assert sbom.of(IMAGE) == DOCUMENT
    assert asked == ["/manifests/sha256:1", "/blobs/app", "/blobs/listed"]


def test_of_an_image_for_several_platforms_the_first_is_taken(serve: Callable[..., list[str]]) -> None:
    index = json.dumps({"manifests": [{"digest": "sha256:2"}, {"digest": "sha256:3"}]}).encode()
    serve({"/manifests/sha256:1": index, "/manifests/sha256:2": manifest("listed"), **blobs("listed")})
    assert sbom.of(IMAGE) == DOCUMENT


def test_an_image_without_one_is_named(serve: Callable[..., list[str]]) -> None:
    serve({"/manifests/sha256:1": manifest("base"), **blobs("base")})
    with pytest.raises(PlatformError, match=r"team/shop@sha256:1 has no app/sbom\.cdx\.json: it was built from"):
        sbom.of(IMAGE)


def test_an_image_that_the_registry_does_not_have_is_named(serve: Callable[..., list[str]]) -> None:
    serve({})
    with pytest.raises(PlatformError, match=r"has no /manifests/sha256:1 of registry\.example\.com/.*: it answers 404"):
        sbom.of(IMAGE)
