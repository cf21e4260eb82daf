"""The images that the platform itself provides, since none can be pulled: base images, and its add-ons' own.

Root file systems come from Debian's packages by mmdebstrap, programs from the toolchain; BuildKit builds and pushes all
of them. An image is built again when its Dockerfile or what goes into it changes.
"""

import hashlib
import json
import shutil
import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from local import debian
from local.network import NETWORK
from local.paths import CACHE, RUN, STATE
from local.progress import run, step
from local.toolchain import Toolchain

SUITE = "bookworm"
FOLDER = Path(__file__).parent
PUSHED = STATE / "images.json"
LOCK = STATE / "image-lock.json"
"""Digests by tagged image, in the form that the stacks' key `imageLock` takes."""

# What packages' scripts would have made, for a root file system that is only unpacked: the bundle of certificates, and
# dpkg's word on what there is, in a file a package, as scanners know it from distroless images.
CERTIFICATES = 'cat "$1"/usr/share/ca-certificates/mozilla/*.crt > "$1"/etc/ssl/certs/ca-certificates.crt'
PACKAGES = (
    'cd "$1"/var/lib/dpkg && mkdir status.d && for deb in "$1"/var/cache/apt/archives/*.deb; '
    'do dpkg-deb --field "$deb" > "status.d/$(dpkg-deb --field "$deb" Package)"; done'
)


@dataclass(frozen=True, kw_only=True)
class RootFs:
    """A root file system of Debian packages. `unpack_only` leaves out Debian's base and runs no package's scripts."""

    packages: tuple[str, ...]
    unpack_only: bool = False

    def command(self, tar: Path) -> list[str]:
        """Return the mmdebstrap call that writes it to `tar`."""
        # Of the hooks, this variant runs this one only.
        hooks = [f"--extract-hook={hook}" for hook in (CERTIFICATES, PACKAGES)]
        variant = ["--variant=extract", *hooks] if self.unpack_only else ["--variant=minbase"]
        return ["mmdebstrap", *variant, f"--include={','.join(self.packages)}", SUITE, str(tar)]

    @property
    def tar(self) -> Path:
        """Where it is kept until it is in the registry."""
        return CACHE / "rootfs" / f"{hashlib.sha256(repr(self).encode()).hexdigest()[:12]}.tar"


PYTHON = RootFs(
    packages=("ca-certificates", "libpython3.11-stdlib", "media-types", "netbase", "python3.11-minimal", "tzdata"),
    unpack_only=True,
)
PYTHON_BUILD = RootFs(packages=("ca-certificates", "python3", "python3-pip"))
POSTGRES = RootFs(packages=("ca-certificates", "postgresql-15", "coreutils", "dash", "libc-bin"), unpack_only=True)


@dataclass(frozen=True, kw_only=True)
class Image:
    """An image of the platform: `name:tag` in its registry, built from the folder `folder` beside this file."""

    name: str
    tag: str
    folder: str
    files: Mapping[str, Path] = field(default_factory=dict)
    rootfs: RootFs | None = None

    def digest(self) -> str:
        """Return the hash of what the image is built from; Debian's packages count by their names."""
        parts = [f"{path.name}\n{path.read_text()}" for path in sorted((FOLDER / self.folder).iterdir())]
        parts += [f"{name}\n{path}\n{path.stat().st_size}" for name, path in sorted(self.files.items())]
        return hashlib.sha256("\n".join([*parts, repr(self.rootfs)]).encode()).hexdigest()


def images(tools: Toolchain) -> tuple[Image, ...]:
    """Return all images of the platform."""
    return (
        Image(
            name="pause",
            tag="latest",
            folder="pause",
            files={"catatonit": debian.unpacked("catatonit")},
        ),
        Image(name="coredns", tag="v1.12.4", folder="coredns", files={"coredns": tools["coredns"]}),
        Image(
            name="metallb-controller",
            tag="v0.15.2",
            folder="metallb-controller",
            files={"controller": tools["controller"]},
        ),
        Image(
            name="kube-network-policies",
            tag="v0.7.0",
            folder="kube-network-policies",
            files={"kube-network-policies": tools["cmd"]},
        ),
        Image(
            name="metrics-server",
            tag="v0.8.0",
            folder="metrics-server",
            files={"metrics-server": tools["metrics-server"]},
        ),
        Image(
            name="base/python",
            tag="3.11",
            folder="python",
            rootfs=PYTHON,
        ),
        Image(
            name="base/python-build",
            tag="3.11",
            folder="python-build",
            files={"ca-certificates.crt": Path("/etc/ssl/certs/ca-certificates.crt")},
            rootfs=PYTHON_BUILD,
        ),
        Image(
            name="base/postgres",
            tag="15",
            folder="postgres",
            rootfs=POSTGRES,
        ),
        Image(
            name="base/prometheus",
            tag="3.14",
            folder="prometheus",
            files={name: tools[name] for name in ("prometheus", "promtool")},
        ),
        Image(
            name="base/alertmanager",
            tag="0.31",
            folder="alertmanager",
            files={"alertmanager": tools["alertmanager"]},
        ),
        Image(
            name="kube-state-metrics",
            tag="v2.15.0",
            folder="kube-state-metrics",
            files={"kube-state-metrics": tools["kube-state-metrics"]},
        ),
        Image(
            name="hostpath-provisioner",
            tag="v1",
            folder="hostpath-provisioner",
            files={"hostpath-provisioner": tools["hostpath-provisioner"]},
        ),
        Image(name="traefik", tag="v3.7", folder="traefik", files={"traefik": tools["traefik"]}),
    )


def operators(tools: Toolchain) -> tuple[Image, ...]:
    """Return the images that only the Prometheus Operator needs; `tools` must have its programs."""
    programs = {"prometheus-operator": "operator", "prometheus-config-reloader": "prometheus-config-reloader"}
    return tuple(
        Image(name=name, tag="v0.85.0", folder=name, files={program: tools[program]})
        for name, program in programs.items()
    )


def unpack() -> None:
    """Make the root file systems of an empty registry: on a first `up`, while the toolchain is being built."""
    if not PUSHED.exists():
        for rootfs in (PYTHON, PYTHON_BUILD, POSTGRES):
            _unpack(rootfs)


def _unpack(rootfs: RootFs) -> None:
    if rootfs.tar.exists():
        return
    rootfs.tar.parent.mkdir(parents=True, exist_ok=True)
    with step(f"Root file system with {rootfs.packages[1]}"), tempfile.TemporaryDirectory(dir=CACHE) as scratch:
        run(rootfs.command(Path(scratch, "root.tar")), log="images", env={"TMPDIR": scratch})
        Path(scratch, "root.tar").rename(rootfs.tar)


def ensure(tools: Toolchain) -> None:
    """Push the images of the platform, and write down the digests that stacks may name them by."""
    push(images(tools), tools)
    lock = {f"{NETWORK.registry}/{image.name}:{image.tag}": _in_registry(image) for image in images(tools)}
    LOCK.write_text(json.dumps(lock, indent=2))
    shutil.rmtree(CACHE / "rootfs", ignore_errors=True)


def push(wanted: Iterable[Image], tools: Toolchain) -> None:
    """Build and push those of the images `wanted` that the registry does not have as they should be now."""
    pushed: dict[str, str] = json.loads(PUSHED.read_text()) if PUSHED.exists() else {}
    for image in wanted:
        digest = image.digest()
        if pushed.get(image.name) == digest and _in_registry(image):
            continue
        if image.rootfs:
            _unpack(image.rootfs)
        with step(f"Image {image.name}:{image.tag}"):
            _build(image, tools)
        pushed[image.name] = digest
        PUSHED.write_text(json.dumps(pushed, indent=2))


def _in_registry(image: Image) -> str | None:
    """Return the digest that the image has in the registry, or None when it is not there."""
    url = f"http://{NETWORK.registry}/v2/{image.name}/manifests/{image.tag}"
    accept = "application/vnd.oci.image.manifest.v1+json, application/vnd.oci.image.index.v1+json"
    answer = httpx.head(url, headers={"Accept": accept}, trust_env=False)
    return answer.headers["Docker-Content-Digest"] if answer.is_success else None


def _build(image: Image, tools: Toolchain) -> None:
    CACHE.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=CACHE) as scratch:
        context = Path(scratch, "context")
        shutil.copytree(FOLDER / image.folder, context)
        for name, path in image.files.items():
            shutil.copy(path, context / name)
        if image.rootfs:
            shutil.copy(image.rootfs.tar, context / "rootfs.tar")
        run(
            [
                *(
                    tools["buildctl"],
                    f"--addr=unix://{RUN}/buildkitd.sock",
                    "--timeout=600",
                    "build",
                    "--progress=plain",
                ),
                *("--frontend=dockerfile.v0", f"--local=context={context}", f"--local=dockerfile={context}"),
                f"--output=type=image,name={NETWORK.registry}/{image.name}:{image.tag},push=true",
            ],
            log="images",
        )
