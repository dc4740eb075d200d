"""`portico what-if`: compares a request before and after a change to the gateway's configuration."""

from __future__ import annotations

import os
import re
from typing import Any

import click

from portico.cli import output
from portico.cli.commands.look.trace import wished
from portico.cli.progress import ended_by_signals
from portico.cli.running import named_site, runtime_of
from portico.errors import Problem, UsageError
from portico.explain.change import Change
from portico.plan.paths import without_rules
from portico.protocol.commands import STATUS
from portico.protocol.trace import Trace
from portico.reading import doubt
from portico.run.control import client
from portico.values import Address
from portico.watch.trace.client import SECONDS, Wish
from portico.watch.trace.evidence import Evidence, TracedSite, follow
from portico.watch.trace.shown import shown
from portico.watch.trace.table import APP, GATEWAY
from portico.watch.trace.variant import placed, running

_ALIAS = re.compile(r"app(\.\d)?\.sock")
_VOLATILE = {"date", "x-request-id", "X-Request-ID"}


@click.command("what-if")
@click.argument("change")
@click.argument("url", default="/")
@click.option(
    "--at",
    default="",
    metavar="LINE",
    help="Which line, when it is not the one in force for the request: nginx.conf:92.",
)
@click.option("--drop", is_flag=True, help="Drop the directive or step instead of changing it.")
@click.option("-X", "--request", "method", metavar="METHOD", help="GET, or POST when there is data.")
@click.option(
    "-H", "--header", "headers", multiple=True, metavar="NAME: VALUE", help="A header of the request."
)
@click.option("-d", "--data", metavar="TEXT", help="The body; @FILE for a file's content.")
@click.option("--json", "is_json", is_flag=True, help="Both traces and what differs, as JSON.")
@named_site
def command(
    change: str, url: str, at: str, drop: bool, config: str | None, name: str, is_json: bool, **words: Any
) -> None:
    """Show what CHANGE would do to a request, without touching the running site.

    CHANGE is a directive as it would stand ('gzip off', 'client_max_body_size 1k'), or its name with --drop. A new one
    is added where it belongs: to the location of the request if it may stand there, else to the server, http or the
    main level; and one that stands several times (add_header) beside the others. --drop also takes a block, and a
    step: cache, compression, limit, static.

    The request is sent twice, through a second gateway on a port of its own, as it is and as it would be; the app is
    the running one.
    """
    wanted = Change.parse(change, at, drops=drop)
    runtime = runtime_of(None, config, name)
    (status,) = client.ask(runtime, STATUS)
    refuse_untrusted(runtime)
    if status.host_runtime:
        hint = "run the site alone, portico run in its directory, and ask there"
        what = "several sites share this gateway, and what-if cannot copy it"
        raise UsageError(Problem("what-if", what, hint))
    wish = wished(url, status, {**words, "connect": "", "max_time": SECONDS})
    site = TracedSite.of(runtime, status)
    binary = next(iter(status.processes.values())).argv[0]
    with ended_by_signals():
        before, _ = _through(site, binary, None, wish)
        after, what = _through(site, binary, placed(wanted, before), wish)
    found = differences(before, after)
    if is_json:
        result = {"change": what, "before": shown(before), "after": shown(after), "differences": found}
        output.result(output.as_json(result))
        return
    output.results([output.strong(what), f"{wish.method} {wish.url}", ""])
    if not found:
        output.result("nothing about this request would be different")
    for one in found:
        output.results(
            [f"  {one['what']}", f"    before  {one['before']}", output.warned(f"    after   {one['after']}")]
        )


def refuse_untrusted(runtime: str) -> None:
    """Raises UsageError for root, about a site whose Portico another user runs or could replace: its answer names the
    program that is started, and its files say what that one loads and writes.
    """
    if os.geteuid() == 0 and (why := doubt(runtime)):
        what = f"root would start a gateway with the files of this site, and {why}"
        raise UsageError(
            Problem("what-if", what, "ask as the user who runs it: sudo -u NAME portico what-if ...")
        )


def _through(site: TracedSite, binary: str, change: Change | None, wish: Wish) -> tuple[Evidence, str]:
    with running(site, binary, change) as (private, addresses, what):
        return follow(private, _connecting(wish, addresses)), what


def _connecting(wish: Wish, addresses: dict[str, str]) -> Wish:
    """The URL with the second gateway's port in place of its own."""
    from urllib.parse import urlsplit

    from msgspec.structs import replace

    parts = urlsplit(wish.url)
    port = str(parts.port or (443 if parts.scheme in ("https", "wss") else 80))
    there = next((new for old, new in addresses.items() if old.rpartition(":")[2] == port), "")
    proxied = tuple(Address.parse(addresses[old]) for old in map(str, wish.proxied) if old in addresses)
    return replace(wish, connect=there or next(iter(addresses.values())), proxied=proxied)


def differences(before: Evidence, after: Evidence) -> list[dict[str, str]]:
    """The differences that a client, the app or the gateway would see; without times, which always differ."""
    old, new = (_facts(shown(one), one) for one in (before, after))
    if old["the app"] != new["the app"]:
        old, new = (
            {name: fact for name, fact in facts.items() if "app sees" not in name} for facts in (old, new)
        )
    names = list(dict.fromkeys([*old, *new]))
    return [
        {"what": name, "before": old.get(name, "-"), "after": new.get(name, "-")}
        for name in names
        if old.get(name) != new.get(name)
    ]


def _facts(trace: Trace, evidence: Evidence) -> dict[str, str]:
    facts = {
        "answer": f"{trace.status}" if trace.status else trace.error,
        "body": f"{evidence.sent.body_size} bytes",
    }
    facts["the app"] = "answers" if evidence.records else "is not asked"
    facts |= {
        f"header {one.name}": str(one.client)
        for one in trace.response
        if one.client is not None and one.name.lower() not in _VOLATILE and one.name != "status"
    }
    facts |= {
        f"the app sees {one.name}": one.app
        for one in trace.request
        if one.app is not None and one.name not in _VOLATILE
    }
    steps = [
        _ALIAS.sub("app.sock", without_rules(row.action)) for row in trace.rows if row.actor in (GATEWAY, APP)
    ]
    steps = [step for step in steps if not step.startswith("writes its line")]
    return facts | {"steps": " | ".join(steps)}
