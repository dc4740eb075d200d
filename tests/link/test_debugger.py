"""The debugger that a worker of `portico run --dev` puts around an app."""

from __future__ import annotations

import os
import re
from typing import Any, cast

import pytest

from portico.link import development
from portico.run.supervisor import debugger

_NAME = debugger.VARIABLE


def _pin(own: str = "", *, of_site: str = "") -> str:
    class Server:
        secrets = {_NAME: of_site} if of_site else {}

    class Plan:
        server, development = Server(), object()

    os.environ[_NAME] = own
    return debugger.secrets_of(cast("Any", Plan()))[_NAME]


@pytest.fixture(autouse=True)
def _variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(_NAME, "")
    monkeypatch.setattr(development, "_has_told", bytearray(1))


def test_the_pin_of_a_run_is_random_unless_the_user_has_one() -> None:
    made = _pin()
    assert re.fullmatch(r"\d{4}-\d{4}-\d{4}", made)
    assert [_pin(word) for word in ("off", "", "-", "nonsense", "12a", "12\n", "\u0661")] == [made] * 7
    assert [_pin("12-34"), _pin("1234"), _pin("off", of_site="77")] == ["12-34", "1234", "77"]


def test_the_pin_is_printed_once_when_the_first_app_loads_whatever_the_app_sets(
    capfd: pytest.CaptureFixture[str],
) -> None:
    def app(*_: object) -> None: ...

    def load() -> Any:
        os.environ[_NAME] = "off"
        return app

    def fails() -> Any:
        raise RuntimeError("on purpose")

    os.environ[_NAME] = "1234-5678-9012"
    development.wsgi(fails)
    assert "PIN" not in capfd.readouterr().err
    for count in (1, 0):
        os.environ[_NAME] = "1234-5678-9012"
        made = development.wsgi(load)
        os.environ[_NAME] = "off"
        assert made.pin == "1234-5678-9012"
        assert made.pin_cookie_name
        assert made.pin == "1234-5678-9012"
        assert capfd.readouterr().err.count("this PIN: 1234-5678-9012\n") == count


def test_without_a_pin_there_is_no_debugger() -> None:
    def app(*_: object) -> None: ...

    assert development.wsgi(lambda: app) is app
