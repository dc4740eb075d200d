"""The workshop, for the owner: sales, stock, new products and their pictures."""

import math

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from shop import catalog, files
from shop.account import owner_only

bp = Blueprint(
    "admin", __name__, url_prefix="/admin", static_folder="admin_assets", static_url_path="/assets"
)


@bp.get("/")
@owner_only
def index() -> ResponseReturnValue:
    """Show sales and stock."""
    return render_template("admin.html", products=catalog.products(), sales=catalog.sales())


@bp.post("/products")
@owner_only
def add() -> ResponseReturnValue:
    """Put a product on the shelf, with a picture or without."""
    form, upload = request.form, request.files.get("picture")
    picture_id = files.save_picture(upload) if upload and upload.filename else None
    product_id = catalog.add(
        {
            "name": form.get("name", ""),
            "description": form.get("description", ""),
            "price_cents": form.get("price", -1, type=_cents),
            "stock": form.get("stock", -1, type=int),
        }
    )
    if picture_id:
        catalog.set_picture(product_id, picture_id)
    flash(f"'{form['name']}' is on the shelf.")
    return redirect(url_for(".index"))


@bp.post("/products/<int:product_id>/picture")
@owner_only
def change_picture(product_id: int) -> ResponseReturnValue:
    """Show another picture for a product."""
    product = catalog.product(product_id)
    catalog.set_picture(product_id, files.save_picture(request.files.get("picture")))
    flash(f"'{product['name']}' has a new picture.")
    return redirect(url_for(".index"))


@bp.post("/products/<int:product_id>/delete")
@owner_only
def delete(product_id: int) -> ResponseReturnValue:
    """Take a product off the shelf."""
    name = catalog.product(product_id)["name"]
    catalog.remove(product_id)
    flash(f"'{name}' is off the shelf.")
    return redirect(url_for(".index"))


def _cents(euros: str) -> int:
    if not math.isfinite(float(euros)):
        raise ValueError("expected a price")
    return round(float(euros) * 100)
