"""Put the first products into the catalog."""

from datetime import UTC, datetime

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import insert

revision = "0002"
down_revision = "0001"

PRODUCTS = [
    ("BEAN-ESPRESSO", "Espresso beans", "Dark roast, 1 kg, from Brazil and India.", 1890),
    ("BEAN-FILTER", "Filter beans", "Light roast, 500 g, from Ethiopia.", 1350),
    ("BREW-FILTER", "Paper filters", "A hundred of them, unbleached.", 450),
    ("BREW-KETTLE", "Gooseneck kettle", "0.9 l, steel, keeps its temperature.", 6900),
    ("BREW-PRESS", "French press", "1 l, borosilicate glass.", 3490),
    ("CUP-LARGE", "Large cup", "350 ml, stoneware, glazed by hand.", 1690),
    ("CUP-SMALL", "Small cup", "80 ml, porcelain.", 990),
    ("MILL-HAND", "Hand mill", "Steel burrs, forty steps from fine to coarse.", 8900),
]


def upgrade() -> None:
    """Expand. What is there already stays as it is."""
    columns = ("sku", "name", "description", "price_cents", "currency", "created_at")
    table = sa.table("products", *(sa.column(name) for name in columns))
    since = datetime(2026, 1, 1, tzinfo=UTC)
    rows = [dict(zip(columns, (*product, "EUR", since), strict=True)) for product in PRODUCTS]
    op.execute(insert(table).values(rows).on_conflict_do_nothing())
