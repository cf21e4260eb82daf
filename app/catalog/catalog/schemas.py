"""What comes in and goes out of the API: checked by these schemas, and described by them in the OpenAPI document."""

import re
from typing import Any

from marshmallow import RAISE, Schema, ValidationError, fields, validate

from catalog.products import DESCRIPTION_LENGTH, NAME_LENGTH, PRICE_CENTS, SKU_LENGTH

SKU = rf"^[A-Z0-9][A-Z0-9-]{{0,{SKU_LENGTH - 1}}}$"
CURRENCY = r"^[A-Z]{3}$"

# Without control characters: PostgreSQL takes no null, and one line is to be one line.
TEXT = r"^[^\x00-\x1f\x7f-\x9f]*$"

MOST = 100
"""Products that one page of the list has at most."""


class Whole(validate.Validator):
    """A pattern that the whole value has to match; Python's `$` would also be content before a newline."""

    def __init__(self, pattern: str) -> None:
        self.regex = re.compile(pattern)
        """By this name, the OpenAPI document finds it."""

    def __call__(self, value: str) -> str:
        """Return the value; raises `ValidationError` if it does not match."""
        # JSON can hold halves of surrogate pairs, which are no text and cannot be sent on.
        if not self.regex.fullmatch(value) or any("\ud800" <= character <= "\udfff" for character in value):
            raise ValidationError(f"must match {self.regex.pattern}")
        return value


class Number(fields.Integer):
    """A whole number as JSON Schema has it, where 1.0 is one too."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **more: Any) -> int:
        whole = int(value) if isinstance(value, float) and value.is_integer() else value
        return super()._deserialize(whole, attr, data, **more)


def text(longest: int, shortest: int) -> fields.String:
    """Make the field of a text of one line."""
    return fields.String(required=True, validate=[validate.Length(shortest, longest), Whole(TEXT)])


class Changed(Schema):
    """What of a product can be changed."""

    class Meta:
        """Settings of the schema."""

        unknown = RAISE  # a misspelt field is an error, and not ignored

    name = text(NAME_LENGTH, shortest=1)
    description = text(DESCRIPTION_LENGTH, shortest=0)
    price_cents = Number(required=True, strict=True, validate=validate.Range(0, PRICE_CENTS))
    currency = fields.String(required=True, validate=Whole(CURRENCY), metadata={"description": "ISO 4217, such as EUR"})


class New(Changed):
    """A product to create."""

    sku = fields.String(
        required=True, validate=Whole(SKU), metadata={"description": "Chosen by the client; no two products have one"}
    )


class Stored(New):
    """A product of the catalog."""

    created_at = fields.DateTime(required=True)


class Asked(Schema):
    """Which page of the list is asked for."""

    limit = fields.Integer(
        load_default=20, validate=validate.Range(1, MOST), metadata={"description": "Products on a page, at most"}
    )
    after = fields.String(validate=Whole(SKU), metadata={"description": "The `next` of the page before"})


class Page(Schema):
    """A page of the list, in the order of SKUs."""

    items = fields.List(fields.Nested(Stored), required=True, validate=validate.Length(max=MOST))
    next = fields.String(
        required=True,
        allow_none=True,
        metadata={"description": "What `after` has to be for the next page; null at the end"},
    )


class Problem(Schema):
    """Problem details (RFC 9457)."""

    type = fields.String(required=True)
    title = fields.String(required=True)
    status = fields.Integer(required=True)
    detail = fields.String(required=True)
    request_id = fields.String(required=True, metadata={"description": "By which the logs tell more"})
    errors = fields.Dict(metadata={"description": "What is wrong with the request, by place and field"})
