"""A product, as the database keeps it."""

from datetime import datetime

from sqlalchemy import CheckConstraint, DateTime, String, func
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

SKU_LENGTH = 32
NAME_LENGTH = 100
DESCRIPTION_LENGTH = 1000
PRICE_CENTS = 100_000_000
"""The highest price."""


class Base(DeclarativeBase):
    """What the migrations have to add up to."""


class Product(Base):
    """A row of the table ``products``."""

    __tablename__ = "products"
    __table_args__ = (CheckConstraint("price_cents >= 0", name="products_price_cents_check"),)

    # Compared by bytes, as the list goes on after a SKU: no locale of the database may change what comes next.
    sku: Mapped[str] = mapped_column(String(SKU_LENGTH, collation="C"), primary_key=True)
    name: Mapped[str] = mapped_column(String(NAME_LENGTH))
    description: Mapped[str] = mapped_column(String(DESCRIPTION_LENGTH))
    price_cents: Mapped[int]
    currency: Mapped[str] = mapped_column(String(3))
    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.now())
