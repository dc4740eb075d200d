"""What the options of [crawlers] must be beyond their types."""

from __future__ import annotations

from collections.abc import Callable

from portico.site.checks.rule import Broken, Rules
from portico.site.crawlers import ALLOW, BY_NAME, KINDS, REFUSE, name_server, rate, wrong_names
from portico.site.options import Options


def _kind(kind: str) -> Callable[[Options], Broken]:
    def rule(options: Options) -> Broken:
        text = getattr(options.crawlers, kind)
        try:
            if text not in (ALLOW, REFUSE):
                rate(text)
        except ValueError as error:
            hint = str(error) if ALLOW in str(error) else f"expected {ALLOW}, {REFUSE}, or a rate: {error}"
            yield f'"{text}" is no policy', hint

    return rule


def _allow(options: Options) -> Broken:
    for name in options.crawlers.allow:
        if name.lower() not in BY_NAME:
            hint = "expected a name such as Googlebot, see docs/crawlers.md"
            yield f'"{name}" is no crawler that Portico knows', hint


def _refuse(options: Options) -> Broken:
    for name in wrong_names(options.crawlers.refuse):
        yield f'"{name}" is no name of a crawler', "expected a word of its User-Agent, such as Bytespider"
    allowed = {name.lower() for name in options.crawlers.allow}
    for name in options.crawlers.refuse:
        if name.lower() in allowed:
            yield f'"{name}" is in allow, too', "name it once"


def _networks(options: Options) -> Broken:
    for text in options.crawlers.networks:
        name, *entries = text.split() or [""]
        if name.lower() not in BY_NAME:
            yield (
                f'"{name}" is no crawler that Portico knows',
                'expected a name and where it comes from, such as "Googlebot googlebot.json"',
            )
        elif not entries:
            yield (
                f'"{text}" names no network',
                f'expected networks or files behind it: "{name} {name.lower()}.json"',
            )


def _dns(options: Options) -> Broken:
    try:
        name_server(options.crawlers.dns)
    except ValueError:
        hint = "expected system, or an address such as 192.0.2.53, 127.0.0.1:5353 or [2001:db8::53]:53"
        yield f'"{options.crawlers.dns}" is no name server', hint


CRAWLER_RULES: Rules = {
    **{f"crawlers.{kind}": _kind(kind) for kind in KINDS},
    "crawlers.allow": _allow,
    "crawlers.refuse": _refuse,
    "crawlers.networks": _networks,
    "crawlers.dns": _dns,
}
