"""The API, under /api/products, and the OpenAPI document of it, which is made from what is written here.

Every change is in the database before it is acknowledged, and can safely be sent again by a client that got no answer:
to create the same product twice is to create it once, as the client chooses its SKU. Deliberately not here: who may
change products, which is for a gateway or NetworkPolicies to say.
"""

from http import HTTPStatus
from typing import Any

from chassis import problems
from flask import Flask, url_for
from flask_smorest import Api, Blueprint
from sqlalchemy import Engine, delete, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session
from werkzeug import Response
from werkzeug.exceptions import Conflict, HTTPException, NotFound
from werkzeug.routing import BaseConverter

from catalog import schemas
from catalog.products import Product

PREFIX = "/api/products"
JSON = "application/json"

MAX_BYTES = 16 * 1024
"""How long a request's body may be."""


class _Sku(BaseConverter):
    regex = schemas.SKU.strip("^$")


class _Api(Api):
    """Documents errors as the problem details that the chassis answers with."""

    ERROR_SCHEMA = schemas.Problem
    DEFAULT_RESPONSE_CONTENT_TYPE = problems.CONTENT_TYPE

    def handle_http_exception(self, error: HTTPException) -> Response:
        """Answer an error, with what the schemas found."""
        messages = getattr(error, "data", {}).get("messages")
        return problems.response(error, {"errors": messages} if messages else None)


def serve(app: Flask, engine: Engine) -> None:
    """Add the API to ``app``."""
    app.config["MAX_CONTENT_LENGTH"] = MAX_BYTES
    app.url_map.converters["sku"] = _Sku
    app.config.update(OPENAPI_URL_PREFIX=PREFIX)
    api = _Api(
        app,
        spec_kwargs={
            "title": "Catalog",
            "version": "1",
            "openapi_version": "3.1.0",
            "info": {"description": "Products that are sold."},
        },
    )
    api.register_converter(_Sku, lambda _converter: {"type": "string", "pattern": schemas.SKU})
    api.register_blueprint(_blueprint(engine))


def _blueprint(engine: Engine) -> Blueprint:
    routes = Blueprint("products", __name__, url_prefix=PREFIX, description="The products")
    may_be_away = routes.alt_response(HTTPStatus.SERVICE_UNAVAILABLE, HTTPStatus.SERVICE_UNAVAILABLE.name)

    @routes.get("")
    @may_be_away
    @routes.arguments(schemas.Asked, location="query")
    @routes.response(HTTPStatus.OK, schemas.Page, content_type=JSON)
    def list_products(asked: dict[str, Any]) -> dict[str, Any]:
        """List products, a page at a time."""
        limit = asked["limit"]
        wanted = select(Product).where(Product.sku > asked.get("after", "")).order_by(Product.sku).limit(limit + 1)
        with Session(engine) as session:
            found = session.scalars(wanted).all()
        return {"items": found[:limit], "next": found[limit - 1].sku if len(found) > limit else None}

    @routes.post("")
    @may_be_away
    @routes.arguments(schemas.New)
    @routes.response(
        HTTPStatus.CREATED,
        schemas.Stored,
        content_type=JSON,
        headers={"Location": {"schema": {"type": "string"}, "description": "Where the product is"}},
    )
    @routes.alt_response(HTTPStatus.OK, schema=schemas.Stored, content_type=JSON, description="It is there already")
    @routes.alt_response(HTTPStatus.CONFLICT, HTTPStatus.CONFLICT.name)
    def create_product(new: dict[str, Any]) -> tuple[Product, HTTPStatus, dict[str, str]]:
        """Create a product; to do so again changes nothing, unless another one has its SKU."""
        create = insert(Product).values(new).on_conflict_do_nothing().returning(Product)
        with Session(engine, expire_on_commit=False) as session, session.begin():
            created = session.scalar(create)
            product = created or session.get(Product, new["sku"])
        if product is None or any(getattr(product, name) != value for name, value in new.items()):
            raise Conflict(f"Another product has the SKU {new['sku']}.")
        location = url_for("products.get_product", sku=product.sku)
        return product, HTTPStatus.CREATED if created else HTTPStatus.OK, {"Location": location}

    @routes.get("/<sku:sku>")
    @may_be_away
    @routes.response(HTTPStatus.OK, schemas.Stored, content_type=JSON)
    @routes.alt_response(HTTPStatus.NOT_FOUND, HTTPStatus.NOT_FOUND.name)
    def get_product(sku: str) -> Product:
        """Get a product."""
        with Session(engine) as session:
            return _there(session.get(Product, sku), sku)

    @routes.put("/<sku:sku>")
    @may_be_away
    @routes.arguments(schemas.Changed)
    @routes.response(HTTPStatus.OK, schemas.Stored, content_type=JSON)
    @routes.alt_response(HTTPStatus.NOT_FOUND, HTTPStatus.NOT_FOUND.name)
    def change_product(changed: dict[str, Any], sku: str) -> Product:
        """Change a product; to create one is for POST."""
        change = update(Product).where(Product.sku == sku).values(changed).returning(Product)
        with Session(engine, expire_on_commit=False) as session, session.begin():
            product = session.scalar(change)
        return _there(product, sku)

    @routes.delete("/<sku:sku>")
    @may_be_away
    @routes.response(HTTPStatus.NO_CONTENT)
    def delete_product(sku: str) -> None:
        """Delete a product, if it is there."""
        with Session(engine) as session, session.begin():
            session.execute(delete(Product).where(Product.sku == sku))

    return routes


def _there(product: Product | None, sku: str) -> Product:
    if product is None:
        raise NotFound(f"No product has the SKU {sku}.")
    return product
