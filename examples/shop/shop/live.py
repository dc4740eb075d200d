"""What moves: orders as server-sent events, support as a WebSocket."""

import json
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from sqlite3 import Row

from flask import Blueprint, Response, current_app, render_template, request
from flask_sock import Sock
from simple_websocket import Server  # type: ignore[import-untyped]  # ships no types

from shop import catalog, db

POLL_SECONDS = 0.5
ANSWERS = {
    "hello": "Hello! Sit down, the kettle is on. What can we do for you?",
    "price": "Every price includes the box, the straw and the bow.",
    "deliver": "Two to four days, by bicycle where the road allows.",
    "return": "Thirty days. If it broke on the way, keep the pieces and we send another.",
    "open": "Tuesday to Saturday, ten to six. The kiln never sleeps.",
    "custom": "Gladly. Send a sketch, and three weeks of patience.",
}

bp = Blueprint("live", __name__)


@bp.get("/orders")
def orders() -> str:
    """Show the latest orders; the page goes on from there by itself."""
    return render_template("orders.html", orders=catalog.latest_orders(12), sales=catalog.sales())


@bp.get("/orders/events")
def order_events() -> Response:
    """Stream orders after `?after=ID`, or after the last one a reconnecting browser has seen."""
    seen = request.headers.get("Last-Event-ID") or request.args.get("after")
    last = int(seen) if seen and seen.isdecimal() else None
    stream = _events(current_app.config["DATABASE"], last)
    return Response(stream, mimetype="text/event-stream", headers={"Cache-Control": "no-cache"})


def _events(database: Path, last: int | None) -> Iterator[str]:
    """Poll, because the order may have been taken by another worker process."""
    with closing(db.connect(database)) as connection:
        if last is None:
            last = connection.execute("SELECT ifnull(max(id), 0) FROM orders").fetchone()[0]
        yield "retry: 1000\n\n"
        while True:
            for row in connection.execute("SELECT * FROM orders WHERE id > ? ORDER BY id", [last]).fetchall():
                last = row["id"]
                yield _event(row)
            time.sleep(POLL_SECONDS)
            yield ":\n\n"  # a comment nobody reads; writing it is how the server learns that the client left


def _event(row: Row) -> str:
    keys = ("id", "product", "customer", "quantity", "total_cents", "created_at")
    return f"id: {row['id']}\nevent: order\ndata: {json.dumps({key: row[key] for key in keys})}\n\n"


@bp.get("/support")
def support() -> str:
    """Show the chat."""
    return render_template("support.html")


@Sock().route("/support/ws", bp=bp)  # type: ignore[untyped-decorator]  # flask_sock ships no types
def chat(ws: Server) -> None:
    """Answer every message until one of us leaves; 'bye' makes it us."""
    while True:
        said = ws.receive()
        if isinstance(said, bytes):
            ws.send(said)
        elif said.strip().lower() == "bye":
            ws.close(message="see you soon")
        else:
            ws.send(_answer(said))


def _answer(said: str) -> str:
    known = (answer for word, answer in ANSWERS.items() if word in said.lower())
    return next(known, f"You said: {said}")
