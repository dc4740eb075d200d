"""Database connection pools, how long the app waits for a connection, files that are databases, and what each thread
has of its own.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from portico.link.app.objects import is_a, objects
from portico.link.app.settings.seconds import seconds

_ENGINE = ("sqlalchemy.engine.base", "Engine")
_ASYNC_ENGINE = ("sqlalchemy.ext.asyncio.engine", "AsyncEngine")
_QUEUE = ("sqlalchemy.pool.impl", "QueuePool")
_PSYCOPG = ("psycopg_pool.pool", "ConnectionPool")
_MOST = 20
_SQLITE = (".db", ".sqlite", ".sqlite3", ".db3")


def settings(inner: Any, directory: Path) -> dict[str, Any]:
    engines = {id(engine): (where, engine) for where, engine in _engines(inner, directory)}
    own = {id(thing): (where, thing) for where, thing in objects(inner, directory) if is_a(thing, _PSYCOPG)}
    found = [*map(_of_engine, list(engines.values())[:_MOST]), *map(_of_psycopg, list(own.values())[:_MOST])]
    files = {
        str(Path(name).absolute()): where for where, engine in engines.values() if (name := _file(engine))
    }
    files |= _files_of_config(getattr(inner, "config", None))
    pools = [one for one in found if one]
    own_locals = [where for where, thing in objects(inner, directory) if isinstance(thing, threading.local)]
    answers = {"pools": pools, "databases": files, "per_thread": own_locals[:_MOST]}
    return {name: answer for name, answer in answers.items() if answer}


def _engines(inner: Any, directory: Path) -> Iterator[tuple[str, Any]]:
    """SQLAlchemy's engines in the app's own modules and in Flask-SQLAlchemy."""
    for where, thing in objects(inner, directory):
        if is_a(thing, _ENGINE):
            yield where, thing
        elif is_a(thing, _ASYNC_ENGINE):
            yield where, thing.sync_engine
    extensions = getattr(inner, "extensions", None)
    extension = extensions.get("sqlalchemy") if isinstance(extensions, dict) else None
    if extension is not None and hasattr(type(extension), "engines"):
        with inner.app_context():
            yield from (("app.extensions['sqlalchemy']", engine) for engine in extension.engines.values())


def _of_engine(found: tuple[str, Any]) -> dict[str, Any]:
    where, engine = found
    pool = engine.pool
    if not is_a(pool, _QUEUE):
        return {}
    overflow = int(getattr(pool, "_max_overflow", 0))
    most = 0 if overflow < 0 or pool.size() == 0 else int(pool.size()) + overflow  # 0 and -1 mean no bound
    return {
        "name": f"SQLAlchemy ({where})",
        "most": most,
        "seconds": seconds(getattr(pool, "_timeout", 0)),
    }


def _of_psycopg(found: tuple[str, Any]) -> dict[str, Any]:
    where, pool = found
    return {"name": f"psycopg_pool ({where})", "most": int(pool.max_size), "seconds": seconds(pool.timeout)}


def _file(engine: Any) -> str:
    """The file of an SQLite engine, empty for any other."""
    url = engine.url
    name = str(url.database or "")
    return (
        ""
        if url.get_backend_name() != "sqlite" or name in ("", ":memory:") or name.startswith("file:")
        else name
    )


def _files_of_config(config: Any) -> dict[str, str]:
    """config["DATABASE"], as in Flask's tutorial and many apps."""
    name = config.get("DATABASE") if isinstance(config, dict) else None
    if isinstance(name, str) and name.endswith(_SQLITE):
        return {str(Path(name).absolute()): 'app.config["DATABASE"]'}
    return {}
