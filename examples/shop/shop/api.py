"""The shelf for programs: JSON in, JSON out, errors too."""

from sqlite3 import Row

from flask import Blueprint, request, session, url_for
from flask.typing import ResponseReturnValue
from werkzeug.datastructures import WWWAuthenticate
from werkzeug.exceptions import BadRequest, Unauthorized

from shop import catalog
from shop.account import is_owner

bp = Blueprint("api", __name__, url_prefix="/api")


@bp.before_request
def owner_writes() -> None:
    """Let everyone read; writing takes the owner's session or `curl -u owner:PASSWORD`."""
    if request.method in {"GET", "HEAD", "OPTIONS"} or session.get("owner"):
        return
    sent = request.authorization
    if not (sent and is_owner(sent.username or "", sent.password or "")):
        raise Unauthorized(
            "the owner's name and password are needed", www_authenticate=WWWAuthenticate("basic")
        )


@bp.get("/products")
def products() -> ResponseReturnValue:
    """List the products."""
    return {"products": [_public(row) for row in catalog.products()]}


@bp.get("/products/<int:product_id>")
def product(product_id: int) -> ResponseReturnValue:
    """Show one product."""
    return _public(catalog.product(product_id))


@bp.post("/products")
def add() -> ResponseReturnValue:
    """Add a product from an object with name, description, price_cents and stock."""
    fields = request.get_json()
    if not isinstance(fields, dict):
        raise BadRequest("expected a JSON object")
    product_id = catalog.add(fields)
    return _public(catalog.product(product_id)), 201, {"Location": url_for(".product", product_id=product_id)}


@bp.delete("/products/<int:product_id>")
def remove(product_id: int) -> ResponseReturnValue:
    """Remove a product."""
    catalog.remove(product_id)
    return "", 204


def _public(row: Row) -> dict[str, object]:
    fields = {key: row[key] for key in ("id", "name", "description", "price_cents", "stock")}
    return {**fields, "url": url_for("store.product", product_id=row["id"], _external=True)}
