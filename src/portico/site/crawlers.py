"""Crawlers that say who they are: the name in their User-Agent, and what they collect for.

A name is also the one of robots.txt. Each row has the page where the crawler's owner publishes it. `domains` are those
that the owner's page documents today: a true crawler without such a name would be refused. Compared with stored copies
of the owners' pages and with what others read there from May to October 2026; "not read" marks the exceptions.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from msgspec import Struct

from portico.errors import Problem
from portico.reading import Reader
from portico.site.access.rules import networks_of
from portico.site.limit import Limit
from portico.site.options.crawlers import Crawlers

ALLOW, REFUSE, SYSTEM = "allow", "refuse", "system"
KINDS = ("search", "training", "assistants", "others")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{1,62}[A-Za-z0-9]")
_BROWSERS = (
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0 Safari/537.36 "
    "(Macintosh; Intel Mac OS X 10_15_7; iPhone; CPU iPhone OS like Mac OS X; Linux; Android; Mobile) Firefox/145.0 "
    "Version/26.1 Edg/142.0"
).lower()
"""What the User-Agents of people have in them."""


class Crawler(Struct, frozen=True):
    """`domains` are those of its addresses by reverse DNS; `is_sent`: False for a name that only robots.txt knows."""

    name: str
    kind: str
    domains: tuple[str, ...] = ()
    is_sent: bool = True


CRAWLERS = (
    # https://developers.google.com/crawling/docs/crawlers-fetchers/google-common-crawlers
    Crawler("Googlebot", "search", ("googlebot.com", "google.com")),
    Crawler("Google-Extended", "training", is_sent=False),
    # https://www.bing.com/webmasters/help/how-to-verify-bingbot-3905dc26
    Crawler("bingbot", "search", ("search.msn.com",)),
    # https://duckduckgo.com/duckduckgo-help-pages/results/duckduckbot
    Crawler("DuckDuckBot", "search"),
    # https://duckduckgo.com/duckduckgo-help-pages/results/duckassistbot
    Crawler("DuckAssistBot", "assistants"),
    # https://yandex.com/support/webmaster/en/robot-workings/check-yandex-robots
    Crawler("YandexBot", "search", ("yandex.ru", "yandex.net", "yandex.com")),
    # https://ziyuan.baidu.com/college/articleinfo?id=1193
    Crawler("Baiduspider", "search", ("baidu.com", "baidu.jp")),
    # https://support.apple.com/en-us/119829
    Crawler("Applebot", "search", ("applebot.apple.com",)),
    Crawler("Applebot-Extended", "training", is_sent=False),
    # https://o-seznam.cz/napoveda/vyhledavani/en/seznambot-crawler/
    Crawler("SeznamBot", "search", ("seznam.cz",)),
    # https://webmaster.petalsearch.com/site/petalbot (one domain is in its text, one in its example)
    Crawler("PetalBot", "search", ("petalsearch.com", "aspiegel.com")),
    # https://www.mojeek.com/bot.html
    Crawler("MojeekBot", "search", ("mojeek.com",)),
    # https://help.qwant.com/bot/
    Crawler("Qwantbot", "search", ("qwant.com",)),
    # https://developers.openai.com/api/docs/bots
    Crawler("GPTBot", "training"),
    Crawler("OAI-SearchBot", "assistants"),
    Crawler("ChatGPT-User", "assistants"),
    # https://support.claude.com/en/articles/8896518
    Crawler("ClaudeBot", "training"),
    Crawler("Claude-SearchBot", "assistants"),
    Crawler("Claude-User", "assistants"),
    # https://docs.perplexity.ai/docs/resources/perplexity-crawlers
    Crawler("PerplexityBot", "assistants"),
    Crawler("Perplexity-User", "assistants"),
    # https://docs.mistral.ai/robots
    Crawler("MistralAI-User", "assistants"),
    # https://commoncrawl.org/ccbot
    Crawler("CCBot", "training", ("crawl.commoncrawl.org",)),
    # https://developer.amazon.com/amazonbot: it has lists of addresses, and no domain any more
    Crawler("Amazonbot", "training"),
    # https://developers.facebook.com/docs/sharing/webmasters/web-crawlers
    Crawler("meta-externalagent", "training"),
    Crawler("meta-externalfetcher", "assistants"),
    # https://allenai.org/crawler
    Crawler("AI2Bot", "training"),
    # https://www.diffbot.com/docs/crawl/faq/robots-txt
    Crawler("Diffbot", "training"),
    # It has no page of its own; its User-Agent names spider-feedback@bytedance.com.
    Crawler("Bytespider", "training"),
    # https://ahrefs.com/robot
    Crawler("AhrefsBot", "others", ("ahrefs.com", "ahrefs.net")),
    # https://www.semrush.com/bot/: it documents neither addresses nor a domain
    Crawler("SemrushBot", "others"),
    # https://mj12bot.com/
    Crawler("MJ12bot", "others"),
    # https://moz.com/help/moz-procedures/crawlers/dotbot (not read)
    Crawler("DotBot", "others"),
    # https://dataforseo.com/dataforseo-bot
    Crawler("DataForSeoBot", "others"),
    # https://webmeup-crawler.com/
    Crawler("BLEXBot", "others"),
)  # fmt: skip
"""Known ones."""
BY_NAME: Mapping[str, Crawler] = {one.name.lower(): one for one in CRAWLERS}


def policy(options: Crawlers) -> dict[str, str]:
    """What is done with crawlers of each kind: allow, refuse, or a rate."""
    return {kind: getattr(options, kind) for kind in KINDS}


def of_kind(options: Crawlers, kind: str) -> list[Crawler]:
    """Those of a kind that `allow` and `refuse` do not name."""
    named = {name.lower() for name in (*options.allow, *options.refuse)}
    return [one for one in CRAWLERS if one.kind == kind and one.name.lower() not in named]


def refused(options: Crawlers) -> list[Crawler]:
    """Every crawler that is refused."""
    named = [BY_NAME.get(name.lower(), Crawler(name, "others")) for name in options.refuse]
    kinds = [kind for kind, what in policy(options).items() if what == REFUSE]
    return [*named, *(one for kind in kinds for one in of_kind(options, kind))]


def named_by_dns(options: Crawlers, verified: Iterable[str]) -> dict[str, tuple[str, ...]]:
    """The crawlers whose addresses have names, with the domains of these; but those that networks verify."""
    out = {one.name for one in refused(options)} | {*verified}
    return {one.name: one.domains for one in CRAWLERS if one.domains and one.is_sent and one.name not in out}


def name_server(text: str) -> tuple[str, int] | None:
    """Its address and port; None for those of the system, and for none. Raises ValueError."""
    if text in ("", SYSTEM):
        return None
    found = re.fullmatch(r"(?:\[([0-9A-Fa-f:.]+)\]|([0-9.]+))(?::([0-9]{1,5}))?", text)
    address = str(ipaddress.ip_address((found[1] or found[2]) if found else text))
    port = int(found[3]) if found and found[3] else 53
    if not 0 < port < 65536:
        raise ValueError("no port")
    return address, port


def rate(text: str) -> Limit:
    """A policy that is a rate. Raises ValueError for what is none."""
    limit = Limit.parse(text)
    if not limit.seconds or limit.methods or limit.per != "client":
        raise ValueError(f"expected {ALLOW}, {REFUSE}, or a rate such as 1/second or 10/minute")
    return limit


def wrong_names(names: Iterable[str]) -> Iterator[str]:
    """Those that can be no name of a crawler, or are part of what browsers say."""
    return (name for name in names if not _NAME.fullmatch(name) or name.lower() in _BROWSERS)


def crawler_networks(
    options: Crawlers, directory: Path, causes: Mapping[str, str], reader: Reader, problems: list[Problem]
) -> dict[str, tuple[str, ...]]:
    """The networks that each crawler really comes from, by its name. Adds a problem for each file that is none."""
    where = causes.get("crawlers.networks", "crawlers.networks")
    made: dict[str, tuple[str, ...]] = {}
    for text in options.networks:
        name, *entries = text.split()
        if known := BY_NAME.get(name.lower()):
            what = f"crawlers.networks: {known.name}"
            found = networks_of(what, entries, where, directory, reader, problems)
            made[known.name] = (*made.get(known.name, ()), *found)
    return made
