"""The copy of a site that is measured."""

from __future__ import annotations

from pathlib import Path

from portico.project.alone import alone
from portico.project.gather import gather
from portico.site.load import load
from portico.values import Address
from tests.support import write_files

TOML = """
app = "app:app"
domains = ["shop.example"]
listen = ":80"
behind = ["10.0.0.0/8"]
behind_protocol = "proxy"
https = "auto"
email = "a@shop.example"
[processes]
worker = "celery"
[release]
before = "flask db upgrade"
after = "warm"
[mirror]
to = "http://10.0.0.2:8000"
[metrics]
listen = "127.0.0.1:9145"
[dashboard]
listen = "127.0.0.1:9146"
[tracing]
endpoint = "http://127.0.0.1:4318"
[limits]
rate = ["1/second"]
"""
APP = "def app(environ, start_response):\n    start_response('200 OK', [])\n    return [b'']\n"


def test_it_has_one_address_and_nothing_that_a_site_does_only_once(tmp_path: Path) -> None:
    write_files(tmp_path, {"portico.toml": TOML})
    options, _ = load(tmp_path / "portico.toml", {})
    made = alone(options, 8123)
    assert made.listen == Address("127.0.0.1", 8123)
    assert (made.processes, made.release.before, made.release.after, made.mirror.to) == ({}, "", "", "")
    assert (made.metrics.listen, made.dashboard.listen, made.tracing.endpoint) == (None, None, "")
    assert (made.https.mode, made.behind_protocol) == ("off", "http")
    assert made.limits.rate == options.limits.rate
    assert "127.0.0.0/8" in made.limits.exempt
    assert (made.domains, made.behind) == (options.domains, options.behind)


def test_its_plan_starts_the_app_and_the_gateway_alone(tmp_path: Path) -> None:
    write_files(tmp_path, {"portico.toml": TOML, "app.py": APP})
    plan = gather(None, str(tmp_path / "portico.toml"), {}, alone=8123).plan
    assert [str(address) for address in plan.listens] == ["127.0.0.1:8123"]
    assert (plan.before, plan.after, plan.tls, dict(plan.background)) == (None, None, None, {})
