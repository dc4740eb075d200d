"""What a customer sees: the shelf, one product, its order form, pictures and documents."""

from flask import Blueprint, abort, flash, redirect, render_template, request, send_file, session, url_for
from flask.typing import ResponseReturnValue

from shop import catalog, files
from shop.account import owner_only

PICTURE_SECONDS = 24 * 60 * 60
MAX_QUANTITY = 12
MAX_NAME = 60

bp = Blueprint("store", __name__)


@bp.get("/")
def index() -> str:
    """Show everything on the shelf."""
    return render_template("index.html", products=catalog.products())


@bp.get("/products/<int:product_id>")
def product(product_id: int) -> str:
    """Show one product and its order form."""
    return render_template(
        "product.html", product=catalog.product(product_id), max_quantity=MAX_QUANTITY, max_name=MAX_NAME
    )


@bp.post("/products/<int:product_id>/order")
def order(product_id: int) -> ResponseReturnValue:
    """Take an order and show it among the others."""
    customer = request.form.get("customer", "").strip()
    quantity = request.form.get("quantity", 0, type=int)
    if not 0 < len(customer) <= MAX_NAME or not 0 < quantity <= MAX_QUANTITY:
        abort(400, f"expected a name and 1 to {MAX_QUANTITY} pieces")
    catalog.order(product_id, customer, quantity)
    session["customer"] = customer
    flash(f"Thank you, {customer}. We are wrapping it now.")
    return redirect(url_for("live.orders"))


@bp.get("/pictures/<int:picture_id>")
def picture(picture_id: int) -> ResponseReturnValue:
    """Send an uploaded picture; a new picture has a new address, so it may be kept."""
    row, path = files.find("picture", picture_id)
    return send_file(path, mimetype=row["content_type"], max_age=PICTURE_SECONDS)


@bp.get("/documents")
def documents() -> str:
    """List what can be downloaded."""
    return render_template("documents.html", documents=files.documents())


@bp.get("/documents/<int:document_id>")
def document(document_id: int) -> ResponseReturnValue:
    """Send a document, always as a download: what is in it is not ours to show."""
    row, path = files.find("document", document_id)
    return send_file(path, mimetype=row["content_type"], as_attachment=True, download_name=row["name"])


@bp.post("/documents")
@owner_only
def upload_document() -> ResponseReturnValue:
    """Keep a document."""
    files.save_document(request.files.get("document"))
    flash("The document is on the list.")
    return redirect(url_for(".documents"))


@bp.post("/documents/<int:document_id>/delete")
@owner_only
def delete_document(document_id: int) -> ResponseReturnValue:
    """Delete a document."""
    row, _path = files.find("document", document_id)
    files.remove(document_id)
    flash(f"'{row['name']}' is gone.")
    return redirect(url_for(".documents"))
