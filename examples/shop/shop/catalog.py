"""Products and orders: every question the shop asks its database about them."""

from collections.abc import Mapping
from sqlite3 import Row

from werkzeug.exceptions import BadRequest, Conflict, NotFound

from shop import db, files

MAX_TEXT = 600
MAX_NUMBER = 10_000_000


def products() -> list[Row]:
    """Return every product, oldest first."""
    return db.get().execute("SELECT * FROM products ORDER BY id").fetchall()


def product(product_id: int) -> Row:
    """Return one product; raise NotFound."""
    row: Row | None = db.get().execute("SELECT * FROM products WHERE id = ?", [product_id]).fetchone()
    if row is None:
        raise NotFound(f"there is no product {product_id}")
    return row


def add(fields: Mapping[str, object]) -> int:
    """Add a product and return its id; raise BadRequest naming every field that is wrong."""
    with db.get() as connection:
        added = connection.execute(
            "INSERT INTO products (name, description, price_cents, stock)"
            " VALUES (:name, :description, :price_cents, :stock)",
            _checked(fields),
        )
    return int(added.lastrowid or 0)


def remove(product_id: int) -> None:
    """Remove a product and its picture; orders keep its name. Raise NotFound."""
    picture_id = product(product_id)["picture_id"]
    with db.get() as connection:
        connection.execute("DELETE FROM products WHERE id = ?", [product_id])
    if picture_id:
        files.remove(picture_id)


def set_picture(product_id: int, picture_id: int) -> None:
    """Show another picture for a product and forget the old one."""
    old = product(product_id)["picture_id"]
    with db.get() as connection:
        connection.execute("UPDATE products SET picture_id = ? WHERE id = ?", [picture_id, product_id])
    if old:
        files.remove(old)


def order(product_id: int, customer: str, quantity: int) -> None:
    """Take pieces from stock for a customer; raise NotFound, or Conflict when too few are left."""
    piece = product(product_id)
    with db.get() as connection:
        taken = connection.execute(
            "UPDATE products SET stock = stock - :n WHERE id = :id AND stock >= :n",
            {"n": quantity, "id": product_id},
        )
        if not taken.rowcount:
            raise Conflict(f"only {piece['stock']} of '{piece['name']}' left")
        connection.execute(
            "INSERT INTO orders (product_id, product, customer, quantity, total_cents)"
            " VALUES (?, ?, ?, ?, ?)",
            [product_id, piece["name"], customer, quantity, quantity * piece["price_cents"]],
        )


def latest_orders(count: int) -> list[Row]:
    """Return the newest orders, newest first."""
    return db.get().execute("SELECT * FROM orders ORDER BY id DESC LIMIT ?", [count]).fetchall()


def sales() -> Row:
    """Return the columns `orders`, `pieces` and `cents` over all orders."""
    row: Row = (
        db.get()
        .execute(
            "SELECT count(*) AS orders, ifnull(sum(quantity), 0) AS pieces,"
            " ifnull(sum(total_cents), 0) AS cents FROM orders"
        )
        .fetchone()
    )
    return row


def _checked(fields: Mapping[str, object]) -> dict[str, object]:
    texts = {key: fields.get(key, "") for key in ("name", "description")}
    numbers = {key: fields.get(key, 0) for key in ("price_cents", "stock")}
    wrong = [
        f"{k}: expected text of at most {MAX_TEXT} characters" for k, v in texts.items() if not _is_text(v)
    ]
    wrong += [
        f"{k}: expected a whole number from 0 to {MAX_NUMBER}" for k, v in numbers.items() if not _is_count(v)
    ]
    if not wrong and not str(texts["name"]).strip():
        wrong = ["name: expected a name"]
    if wrong:
        raise BadRequest("; ".join(wrong))
    return {**texts, **numbers}


def _is_text(value: object) -> bool:
    return isinstance(value, str) and len(value) <= MAX_TEXT


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= MAX_NUMBER
