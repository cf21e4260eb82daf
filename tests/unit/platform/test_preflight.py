"""What the platform refuses to start on, and what it says then."""

from ipaddress import IPv4Network
from pathlib import Path

from local import preflight
from local.network import NETWORK

BOOKWORM = 'PRETTY_NAME="Debian GNU/Linux 12 (bookworm)"\nVERSION_ID="12"\nID=debian\n'
UBUNTU = 'PRETTY_NAME="Ubuntu 24.04.1 LTS"\nVERSION_ID="24.04"\nID=ubuntu\nID_LIKE=debian\n'


def test_debian_12_on_x86_64_is_accepted() -> None:
    assert preflight.not_debian(BOOKWORM, "x86_64") is None


def test_another_system_is_refused_by_its_name() -> None:
    said = preflight.not_debian(UBUNTU, "x86_64")
    assert said is not None
    assert "Ubuntu 24.04.1 LTS" in said
    assert "README.md" in said


def test_an_older_debian_and_another_processor_are_refused() -> None:
    assert preflight.not_debian(BOOKWORM.replace("12", "11"), "x86_64") is not None
    assert preflight.not_debian(BOOKWORM, "aarch64") is not None


def test_only_root_may_start_it() -> None:
    assert preflight.not_root(0) is None
    said = preflight.not_root(1000)
    assert said is not None
    assert "1000" in said


def test_too_small_a_disk_is_refused_with_what_is_free_and_what_is_needed() -> None:
    assert preflight.disk_full({Path("/"): 30 * 10**9}, 30) is None
    said = preflight.disk_full({Path("/"): 12_300_000_000}, 30)
    assert said is not None
    assert "12.3 GB" in said
    assert "30 GB" in said


def test_a_route_into_the_platforms_network_is_refused_by_name() -> None:
    routes = [{"dst": "default", "dev": "eth0"}, {"dst": "10.90.3.0/24", "dev": "vpn0"}]
    said = preflight.address_taken(routes, NETWORK)
    assert said is not None
    assert "10.90.3.0/24" in said
    assert "vpn0" in said


def test_the_platforms_own_routes_and_those_elsewhere_are_accepted() -> None:
    own = [{"dst": str(NETWORK.link), "dev": NETWORK.interface}, {"dst": "10.90.0.254", "dev": NETWORK.interface}]
    assert preflight.address_taken([*own, {"dst": "192.168.0.0/16", "dev": "eth0"}], NETWORK) is None


def test_the_parts_of_the_network_are_inside_it_and_apart_from_each_other() -> None:
    parts = [NETWORK.link, NETWORK.load_balancers, NETWORK.pods, NETWORK.services]
    assert all(part.subnet_of(NETWORK.whole) for part in parts)
    assert not any(one.overlaps(other) for one in parts for other in parts if one is not other)
    assert NETWORK.node in NETWORK.link
    assert NETWORK.machine in NETWORK.link
    assert NETWORK.dns in NETWORK.services
    assert NETWORK.whole.is_private
    assert NETWORK.whole != IPv4Network("0.0.0.0/0")
