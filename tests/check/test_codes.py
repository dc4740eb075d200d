"""Every finding has a code that the page about `portico check` lists, and the worst comes first."""

from __future__ import annotations

import os
import re

from portico.check.codes import CODES, HARMS
from portico.check.model import fault, in_order, ok, warning
from tests.support import ROOT

_PAGE = ROOT / "docs/check.md"
_TABLES = re.compile(r"(?<=<!-- the codes -->\n).*?(?=<!-- end of the codes -->)", re.DOTALL)


def tables() -> str:
    """What stands between the marks: one table for each harm."""
    text = ""
    for harm, meaning in HARMS.items():
        rows = [f"| `{name}` | {code.finds} |" for name, code in CODES.items() if code.harm == harm]
        text += (
            "\n".join([f"\n**{harm}**: {meaning}\n", "| code | what is found |", "|---|---|", *rows]) + "\n"
        )
    return text + "\n"


def test_golden_page_lists_every_code() -> None:
    page = _PAGE.read_text()
    if os.environ.get("GOLDEN") == "update":
        _PAGE.write_text(_TABLES.sub(lambda _: tables(), page))
    else:
        assert _TABLES.findall(page) == [tables()], "`make golden` writes it anew"


def test_every_code_is_used() -> None:
    sources = [path for path in (ROOT / "src/portico").rglob("*.py") if path.name != "codes.py"]
    text = "".join(path.read_text() for path in sources)
    assert [name for name in CODES if f'"{name}"' not in text] == []


def test_the_worst_comes_first() -> None:
    found = [
        ok("a", "", "port"),
        warning("b", "", "", "testing"),
        warning("c", "", "", "certificate"),
        warning("d", "", "", "random-key"),
        fault("e", "", "", "debugger"),
        warning("f", "", "", "secret-key"),
        fault("g", "", "", "port"),
        warning("h", "", "", "backlog"),
    ]
    assert "".join(one.subject for one in in_order(found)) == "gcefdhba"
