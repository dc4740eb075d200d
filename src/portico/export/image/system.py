"""Packages of Debian that packages of PyPI need: those that load a library of the system, and those without a wheel."""

from __future__ import annotations

from collections.abc import Collection

from msgspec import Struct

COMPILER = ("gcc", "libc6-dev")


class Needs(Struct, frozen=True):
    """What one package needs: `run` while it runs, `build` while it is compiled. Names of Debian 13."""

    package: str
    run: tuple[str, ...]
    build: tuple[str, ...] = ()


TABLE = (
    Needs("cairocffi", ("libcairo2",)),
    Needs("mysqlclient", ("libmariadb3",), (*COMPILER, "pkg-config", "libmariadb-dev")),
    Needs("opencv-python", ("libgl1", "libglib2.0-0t64")),
    Needs("psycopg", ("libpq5",)),
    Needs("psycopg2", ("libpq5",), (*COMPILER, "libpq-dev")),
    Needs("python-ldap", ("libldap2", "libsasl2-2"), (*COMPILER, "libldap-dev", "libsasl2-dev")),
    Needs("python-magic", ("libmagic1t64",)),
    Needs("pyzbar", ("libzbar0t64",)),
    Needs("uwsgi", (), COMPILER),
    Needs("weasyprint", ("libpango-1.0-0", "libpangoft2-1.0-0", "libharfbuzz-subset0")),
)
"""By the packages' own installation pages. A manylinux wheel brings its libraries along, so most packages need none."""
_BROUGHT = {"psycopg": ("psycopg-binary", "psycopg-c")}
"""Packages that bring the library along."""


def needs(packages: Collection[str]) -> tuple[Needs, ...]:
    """What these packages need, by their normalised names."""
    return tuple(
        one
        for one in TABLE
        if one.package in packages and not set(_BROUGHT.get(one.package, ())) & set(packages)
    )
