"""The exported unit under systemd itself: a machine with Debian 13 is booted, and the site keeps its promises there."""

from __future__ import annotations

import os
import sys
import threading

import pytest

from tests.acceptance.app import FILES
from tests.acceptance.checks import CHECKS
from tests.acceptance.places import noted, said_of
from tests.support.booted import Machine, booted
from tests.support.until import until

pytestmark = [
    pytest.mark.skipif(os.geteuid() != 0, reason="only root may make a machine of namespaces"),
    pytest.mark.timeout(1200),  # half a minute; the first time a minute more
]
SLOW = """
@app.get("/slow")
def slow():
    (there / "begun").touch()
    time.sleep(8)
    return "all of it"
"""


def test_the_exported_unit_serves_under_a_booted_systemd_and_finishes_its_requests_at_a_stop() -> None:
    try:
        with booted() as machine:
            _serves(machine)
    except RuntimeError as error:
        pytest.skip(f"no machine can be booted here: {error}")


def _serves(machine: Machine) -> None:
    machine("mkdir -p /srv/shop/static")
    for name, text in (FILES | {"shop.py": FILES["shop.py"] + SLOW}).items():
        machine(f"cat >/srv/shop/{name} <<'END'\n{text}END")
    machine("cd /srv/shop && portico export systemd --write /etc/systemd/system && systemctl daemon-reload")
    machine("systemctl enable --now portico-shop || { journalctl -u portico-shop >&2; exit 1; }")
    asked = machine.from_its_network(sys.executable, "-m", "tests.acceptance", "http://127.0.0.1:8080")
    assert said_of("systemd", asked.stdout) == {check.__name__: "ok" for check in CHECKS}, (
        asked.stdout + asked.stderr
    )
    assert "portico-shop" in machine("systemctl list-units --state=active --plain 'portico-*'")
    assert int(machine("ps -o uid= -C nginx").split()[0]) in range(
        61184, 65520
    )  # DynamicUser, systemd.exec(5)

    with noted("systemd", "drain"):
        _finishes(machine)
    assert machine("systemctl show portico-shop -p Result").strip() == "Result=success"


def _finishes(machine: Machine) -> None:
    """A request of eight seconds, during a stop."""
    answers = list[str]()
    ask = [
        sys.executable,
        "-c",
        "import httpx; print(httpx.get('http://127.0.0.1:8080/slow', timeout=60).text)",
    ]
    client = threading.Thread(target=lambda: answers.append(machine.from_its_network(*ask).stdout))
    client.start()
    seen = "test -e /proc/$(systemctl show -P MainPID portico-shop)/root/tmp/begun && echo begun || true"
    until(lambda: machine(seen) == "begun\n")
    machine("systemctl stop portico-shop")
    client.join(60)
    assert answers == ["all of it\n"]
