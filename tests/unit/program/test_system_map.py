"""The picture of the map: it shows what `services.py` declares, and CI notices when it no longer does."""

import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from components.service import Service
from docs import system_map
from services import SERVICES
from tests.unit.program.examples import EXPORTED
from tests.unit.program.harness import ROOT


def services() -> list[Service]:
    """Return a shop that calls stock and prices, which calls stock as well."""
    shop = Service(name="shop", exported=EXPORTED, paths=["/"])
    prices = Service(name="prices", exported=EXPORTED, paths=["/api/prices"], needs_key=True)
    stock = Service(name="stock", exported=EXPORTED, owns_database=True)
    shop.calls(prices, timeout=0.5, retries=2)
    shop.calls(stock, timeout=1, retries=1)
    prices.calls(stock, timeout=0.25, retries=0)
    return [stock, shop, prices]


def texts(picture: str) -> list[str]:
    return [str(element.text) for element in ET.fromstring(picture).iter() if element.tag.endswith("}text")]  # noqa: S314


def test_what_is_called_stands_to_the_right_of_all_that_call_it() -> None:
    assert system_map.columns(services()) == {"shop": 1, "prices": 2, "stock": 3}


def test_services_that_call_each_other_in_a_circle_are_refused() -> None:
    stock, shop, prices = services()
    stock.calls(prices, timeout=1, retries=0)
    with pytest.raises(ValueError, match="services must not call each other in a circle, found prices, stock"):
        system_map.columns([stock, shop, prices])


def test_the_picture_shows_services_databases_the_gateways_paths_and_each_call_with_its_bounds() -> None:
    shown = texts(system_map.draw(services()))
    assert {"gateway", "shop", "prices", "stock", "PostgreSQL", "of stock alone"} <= set(shown)
    assert {"/", "/api/prices (API key)", "0.5 s, 2 retries", "1 s, 1 retry", "0.25 s, 0 retries"} <= set(shown)


def test_the_pictures_boxes_do_not_lie_on_each_other() -> None:
    boxes = [
        (int(one.attrib["x"]), int(one.attrib["y"]))
        for one in ET.fromstring(system_map.draw(services())).iter()  # noqa: S314
        if one.attrib.get("class") in {"service", "gateway", "database"}
    ]
    assert len(boxes) == 5
    for index, (x, y) in enumerate(boxes):
        for other_x, other_y in boxes[:index]:
            assert abs(x - other_x) >= system_map.WIDTH or abs(y - other_y) >= system_map.HEIGHT


def test_an_old_picture_fails_the_check(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "map.svg"
    monkeypatch.setattr("sys.argv", ["system_map", str(file)])
    system_map.main()
    monkeypatch.setattr("sys.argv", ["system_map", str(file), "--check"])
    system_map.main()
    file.write_text(file.read_text().replace("gateway", "door"))
    with pytest.raises(SystemExit, match=r"is not the map of services\.py"):
        system_map.main()


def test_the_picture_in_docs_is_that_of_the_map() -> None:
    assert (ROOT / "docs/map.svg").read_text() == system_map.draw(SERVICES)
