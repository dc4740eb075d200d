"""`PORT`, as platforms give it."""

from __future__ import annotations

from pathlib import Path

import pytest

from portico.site.load import load
from portico.values import Address


@pytest.fixture
def toml(tmp_path: Path) -> Path:
    return tmp_path / "portico.toml"


@pytest.mark.parametrize(
    ("text", "port", "expected"),
    [
        ("", "5000", Address("*", 5000)),
        ('domains = ["shop.example"]', "5000", Address("*", 5000)),
        ('listen = "127.0.0.1:81"', "5000", Address("127.0.0.1", 81)),
        ('domains = ["shop.example"]\nemail = "me@shop.example"', "5000", None),
        ("", "tcp://10.0.0.1:80", None),
        ("", "0", None),
        ("", "70000", None),
        ("", "", None),
    ],
)
def test_port_of_a_platform_is_listened_on_where_nothing_else_is_said(
    text: str, port: str, expected: Address | None, toml: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    toml.write_text(text)
    monkeypatch.setenv("PORT", port)
    options, causes = load(toml, {})
    assert options.listen == expected
    assert (causes.get("listen") == "PORT in the environment") == (expected == Address("*", 5000))


def test_a_flag_wins_over_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PORT", "5000")
    options, causes = load(None, {"listen": "127.0.0.1:82"})
    assert (options.listen, causes["listen"]) == (Address("127.0.0.1", 82), "--listen")
