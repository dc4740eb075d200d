"""The pages of the manuals are those of directives that Portico writes."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import portico.plan.gateway
from portico.plan.gateway.httpd import reference as of_httpd
from portico.plan.gateway.nginx import reference as of_nginx

GATEWAYS = Path(portico.plan.gateway.__file__).parent
GOLDEN = Path(__file__).parents[1] / "golden" / "plan"


@pytest.mark.parametrize(
    ("gateway", "pages"), [("nginx", of_nginx.PAGE_OF), ("httpd", of_httpd.PAGE_OF)], ids=["nginx", "httpd"]
)
def test_each_directive_with_a_page_is_written_somewhere(gateway: str, pages: dict[str, str]) -> None:
    written = {
        word
        for path in GOLDEN.glob("*.txt")
        for word in re.findall(r"^[-+ ]*<?(\w+)", path.read_text(), re.M)
    }
    source = "".join(
        path.read_text() for path in (GATEWAYS / gateway).rglob("*.py") if path.name != "reference.py"
    )
    for name in pages.keys() - written:
        tail = name.partition("_")[2]
        assert f'"{name}"' in source or (tail and f'}}_{tail}"' in source), name
