"""Whether the app has a database: by the drivers and layers that are imported when it is loaded."""

from __future__ import annotations

import sys
from typing import Any, Final

_NAMES: Final = (
    "sqlalchemy", "psycopg", "psycopg2", "pg8000", "MySQLdb", "pymysql", "mysql.connector", "mariadb", "oracledb",
    "cx_Oracle", "pyodbc", "pymssql", "peewee", "sqlite3",
)  # fmt: skip


def database() -> dict[str, Any]:
    """Its field of site.facts.AppFacts."""
    found = next((name for name in _NAMES if name in sys.modules), "")
    return {"database": found} if found else {}
