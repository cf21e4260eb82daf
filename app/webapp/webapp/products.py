"""The products that the page shows: asked of the catalog for each page, and else the last ones that it gave.

What is remembered is a worker's own, and gone with it: a page may show less than the one before, and never fails.
"""

import json
import time
from dataclasses import dataclass

import structlog
from chassis.client import Client, Unavailable
from chassis.config import Call
from chassis.metrics import CallMetrics

PATH = "/api/products?limit=100"
"""The first page of the list, in its greatest length; the page is to show what there is, not to search it."""

log = structlog.stdlib.get_logger(__name__)


@dataclass(frozen=True, kw_only=True)
class Product:
    """A product, as people read it."""

    name: str
    description: str
    price: str


@dataclass(frozen=True, kw_only=True)
class Shown:
    """What the page shows of the catalog."""

    products: tuple[Product, ...] = ()
    available: bool = True
    """Whether the catalog answered just now."""
    age: str | None = None
    """How old ``products`` are, for people to read, where they are of an answer before."""


class Products:
    """Asks the catalog, and remembers its last answer. For all threads of a worker."""

    def __init__(self, call: Call, metrics: CallMetrics) -> None:
        self._client = Client(call, metrics)
        self._last: tuple[tuple[Product, ...], float] | None = None

    def show(self) -> Shown:
        """Return the products, wherever they are to be had."""
        try:
            products = self._ask()
        except Unavailable:
            last = self._last
            if last is None:
                return Shown(available=False)
            return Shown(products=last[0], available=False, age=age(time.monotonic() - last[1]))
        self._last = (products, time.monotonic())
        return Shown(products=products)

    def _ask(self) -> tuple[Product, ...]:
        answer = self._client.get(PATH)
        try:
            items = json.loads(answer.body)["items"]
            return tuple(
                Product(
                    name=str(item["name"]),
                    description=str(item["description"]),
                    price=price(item["price_cents"], item["currency"]),
                )
                for item in items
            )
        except (ValueError, LookupError, TypeError) as error:
            log.exception("the catalog's answer is no list of products", status=answer.status)
            raise Unavailable("the catalog's answer is no list of products") from error


def price(cents: int, currency: str) -> str:
    """Write an amount as in 1,234.50 EUR."""
    return f"{cents // 100:,}.{cents % 100:02} {currency}"


def age(seconds: float) -> str:
    """Write a duration in one unit, as in 1 second, 5 minutes or 30 hours."""
    size, unit = next((one for one in ((3600, "hour"), (60, "minute")) if seconds >= one[0]), (1, "second"))
    count = int(seconds // size)
    return f"{count} {unit}{'' if count == 1 else 's'}"
