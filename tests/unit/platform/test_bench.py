"""What the benchmark of more and more services works out by itself; what it measures is the machine's."""

import runpy
from itertools import pairwise
from pathlib import Path

import pytest
from rich.console import Console

from bench import services
from bench.services import line, map_of, mocked, table_of


def test_points_on_a_line_give_that_line_and_no_deviation() -> None:
    found = line({1: 1.5, 5: 3.5, 20: 11.0})
    assert found.base == pytest.approx(1)
    assert found.slope == pytest.approx(0.5)
    assert found.deviation == pytest.approx(0)


def test_the_deviation_is_that_of_the_worst_point_and_has_no_sign() -> None:
    for sign in (1, -1):
        assert line({1: 0, 2: sign, 3: 0}).deviation == pytest.approx(2 / 3)


def test_the_fastest_run_counts() -> None:
    console = Console(width=200)
    with console.capture() as shown:
        console.print(table_of("", {"up": {1: [9.0, 2.0], 5: [4.0, 9.0]}}))
    for text in ("2.00 s", "4.00 s", "0.800 each", "1.50 s", "0.500 s", "0.00 s"):
        assert text in shown.get()
    assert "9" not in shown.get()


@pytest.mark.parametrize("count", [1, 2, 5])
def test_each_service_but_the_first_is_called_by_the_one_before_it(count: int, tmp_path: Path) -> None:
    (tmp_path / "services.py").write_text(map_of(count))
    declared = runpy.run_path(str(tmp_path / "services.py"))["SERVICES"]
    assert len(declared) == count
    calls = [(edge.caller, edge.callee) for service in declared for edge in service.edges]
    assert calls == [(one.name, other.name) for one, other in pairwise(declared)]


@pytest.mark.slow
def test_a_run_is_one_of_the_whole_program_with_all_its_services(tmp_path: Path) -> None:
    assert mocked(tmp_path, 2, preview=True) > 0


@pytest.mark.slow
def test_a_run_that_declared_fewer_services_does_not_count(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fewer = services.names(2)
    monkeypatch.setattr(services, "names", lambda _: fewer)
    with pytest.raises(RuntimeError, match="5 Deployments were to be declared, found 4 Deployments"):
        mocked(tmp_path, 3, preview=True)
