"""The virtual hosts: which Host gets which answer. The first of an address is for every Host that no other names."""

from __future__ import annotations

from collections.abc import Sequence

from portico.place.model import Place
from portico.plan.gateway.httpd.app.link import (
    answered,
    client_connection,
    first_settings,
    pass_to_app,
    refuse_false_names,
    told_to_app,
)
from portico.plan.gateway.httpd.app.server_timing import timing_headers, timing_of_worker, timing_setting
from portico.plan.gateway.httpd.app.upstream import sticky
from portico.plan.gateway.httpd.cors import cors_headers, cors_settings, preflight_rules
from portico.plan.gateway.httpd.entry import tls
from portico.plan.gateway.httpd.entry.bandwidth import bandwidth_settings
from portico.plan.gateway.httpd.entry.health import health_folder, health_rules
from portico.plan.gateway.httpd.entry.host_header import host_settings, refuse_odd_hosts, same_port
from portico.plan.gateway.httpd.entry.transfer import no_tunnels, request_limits
from portico.plan.gateway.httpd.entry.trust import strangers, trust
from portico.plan.gateway.httpd.files.compression import coding_settings
from portico.plan.gateway.httpd.files.robots import robots_folder, robots_rules
from portico.plan.gateway.httpd.files.spa import navigation_rules, spa_folder, spa_page_rules, spa_section
from portico.plan.gateway.httpd.files.statics import file_headers, folders, unmarked
from portico.plan.gateway.httpd.guards import (
    choices,
    guard_headers,
    guard_sections,
    guard_settings,
    late_choices,
)
from portico.plan.gateway.httpd.headers import common, of_own, of_site
from portico.plan.gateway.httpd.locations import route_sections, rules
from portico.plan.gateway.httpd.log import access_log, log_settings
from portico.plan.gateway.httpd.names import PATH
from portico.plan.gateway.httpd.own import in_server
from portico.plan.gateway.httpd.pages import (
    error_pages,
    page_folder,
    page_rules,
    page_section,
    page_settings,
    unavailable_settings,
    unread_upload_rules,
)
from portico.plan.gateway.httpd.routing.elsewhere import rule_page_rules, rule_page_setting, rule_sections
from portico.plan.gateway.httpd.routing.proof import proofs
from portico.plan.gateway.httpd.syntax import Directive, directive, section
from portico.plan.paths import Paths
from portico.plan.web.model import Web
from portico.values import Address

UNKNOWN = "portico.invalid"
"""A name that no client sends, RFC 6761."""


def granted(web: Web) -> list[Directive]:
    """The folders that are read."""
    made = [*page_folder(web), *robots_folder(web), words_folder(web.place), *folders(web), *spa_folder(web)]
    if web.tls and web.tls.challenge:
        made.append(_granted(Paths.of(web.place).challenges, "answers to the certificate authority"))
    return made


def servers(web: Web) -> list[Directive]:
    """The site's virtual hosts; with declared domains, those that refuse every other Host come first."""
    at, made = web.listeners, list[Directive]()
    if web.hosts.refuses_others:
        made.append(_catch_all(web, at.plain, is_tls=False))
        made += [_catch_all(web, at.tls, is_tls=True)] if web.tls else []
    if web.tls:
        made += [_site(web, at.plain) if web.tls.plain_shows_site else _plain(web)]
        made += [*_redirected(web, at.tls), _site(web, at.tls, is_tls=True)]
    else:
        made += [*_redirected(web, at.plain), _site(web, at.plain)]
    return made


def words_folder(place: Place) -> Directive:
    """The folder with the words of the health path."""
    return _granted(health_folder(place), "the words of the health path")


def _granted(path: str, why: str) -> Directive:
    return section("Directory", path, why=why, of=[
        directive("Require", "all", "granted", why=why),
        directive("Options", "FollowSymLinks", why="Portico's own directory"),
    ])  # fmt: skip


def _host(
    web: Web, addresses: Sequence[Address], names: Sequence[str], of: Sequence[Directive], why: str
) -> Directive:
    # httpd takes no IPv6 address as ServerName, and compares an alias with the host without its brackets.
    name = next((one for one in names if not one.startswith(("*", "["))), UNKNOWN)
    others = [one.strip("[]") for one in names if one != name]
    cause = web.hosts.cause
    return section(
        "VirtualHost", *addresses, why=why, cause=cause,
        of=[
            directive("ServerName", name, why="the host that this is for" if names else "any other host", cause=cause),
            *([directive("ServerAlias", *others, why="and its other names", cause=cause)] if others else []),
            *of,
        ],
    )  # fmt: skip


def _site(web: Web, addresses: Sequence[Address], *, is_tls: bool = False) -> Directive:
    hosts = web.hosts
    # Beside others, every Host that no site declares: the virtual host is the first of its address.
    shown = hosts.shown or (() if hosts.declared or hosts.is_beside_others else ("localhost",))
    secured = tls.certified(web, web.tls) if is_tls and web.tls else []
    redirect = []
    if web.tls and not is_tls:
        redirect = tls.to_https(web, web.tls, is_conditional=True)
    return _host(
        web, addresses, shown,
        [
            *secured,
            *_settings(web, is_tls=is_tls),
            *client_connection(web, addresses),
            *host_settings(web),
            *cors_settings(web),
            unmarked(),
            *coding_settings(),
            *unavailable_settings(),
            *guard_settings(web),
            *bandwidth_settings(web),
            *_common(web, is_tls=is_tls),
            *request_limits(web),
            *_entry_rules(web, is_tls=is_tls),
            *redirect,
            *preflight_rules(web),
            *choices(web),
            *robots_rules(web),
            *navigation_rules(web),
            *late_choices(web),
            *rules(web),
            *pass_to_app(web),
            *told_to_app(web),
            *proofs(web),
            *rule_sections(web),
            *answered(web),
            *timing_of_worker(web),
            *sticky(web),
            *of_site(web),
            *cors_headers(web),
            *file_headers(web),
            *spa_section(web),
            *guard_headers(web),
            *(tls.hsts(web) if web.tls and (is_tls or web.trust.proxies) else []),
            *route_sections(web),
            *guard_sections(web),
            *in_server(web),
        ],
        "the site",
    )  # fmt: skip


def _plain(web: Web) -> Directive:
    assert web.tls is not None
    of = [
        *_settings(web, is_tls=False),
        *cors_settings(web),
        *_common(web, is_tls=False),
        *_entry_rules(web, is_tls=False),
        *tls.to_https(web, web.tls),
        *of_own(web),
        *cors_headers(web),
    ]
    return _host(
        web, web.listeners.plain, web.hosts.declared or ("localhost",), of, "plain HTTP, which leads to HTTPS"
    )


def _redirected(web: Web, addresses: Sequence[Address]) -> list[Directive]:
    """The domains that redirect to the canonical one."""
    names, cause, is_tls = web.hosts.redirected, web.hosts.canonical_cause, web.tls is not None
    if not names:
        return []
    settings, port = same_port(web)
    scheme = "https" if is_tls else "%{ENV:PORTICO_SCHEME}"
    target = f"{scheme}://{web.hosts.canonical}{port}%{{ENV:{PATH}}}"
    of = [
        *(tls.certified(web, web.tls) if web.tls else []),
        *_settings(web, is_tls=is_tls),
        *settings,
        *cors_settings(web),
        *_common(web, is_tls=is_tls),
        *_entry_rules(web, is_tls=is_tls),
        *of_own(web),
        *cors_headers(web),
        *(tls.hsts(web) if is_tls else []),
        directive("RewriteRule", "^", target, "[R=308,NE,L]", why="308 keeps a POST a POST", cause=cause),
    ]
    return [_host(web, addresses, names, of, "names that redirect to the canonical one")]


def _catch_all(web: Web, addresses: Sequence[Address], *, is_tls: bool) -> Directive:
    why = "requests for a Host that was not declared: scanners, and links in mails that would point elsewhere"
    of = [
        *(tls.certified(web, web.tls) if is_tls and web.tls else []),
        *_settings(web, is_tls=is_tls),
        *access_log(web.place, is_tls=is_tls),
        directive("RewriteEngine", "On", why="the rules below"),
        *strangers(web),
        *([] if is_tls else health_rules(web)),
        directive(
            "RewriteRule", "^", "-", "[R=421,L]", cause=web.hosts.cause,
            why="a request for another site: 421, and no page; httpd cannot close without an answer",
        ),
    ]  # fmt: skip
    return _host(web, addresses, (), of, why)


def _settings(web: Web, *, is_tls: bool) -> list[Directive]:
    """The variables of a request, before every rule."""
    return [
        *first_settings(web),
        *trust(web, is_tls=is_tls),
        *timing_setting(web),
        *log_settings(web.log),
        *page_settings(),
    ]


def _common(web: Web, *, is_tls: bool) -> list[Directive]:
    why = "a decoded slash (%2F) is a slash for the rules below, as for the app; REQUEST_URI keeps it"
    return [
        directive("AllowEncodedSlashes", "On", why=why),
        directive("MergeSlashes", "Off", why="a path with // reaches the app as it was sent"),
        *access_log(web.place, is_tls=is_tls),
        *common(web),
        *timing_headers(web),
        *error_pages(web),
        *rule_page_setting(web),
        page_section(),
    ]


def _entry_rules(web: Web, *, is_tls: bool) -> list[Directive]:
    """The first rules: those of httpd's own paths, and who is not answered at all."""
    return [
        directive("RewriteEngine", "On", why="the rules below: the first that ends the search counts"),
        *unread_upload_rules(),
        *rule_page_rules(web),
        *page_rules(web),
        *spa_page_rules(web),
        *no_tunnels(),
        *refuse_false_names(web),
        *strangers(web),
        *refuse_odd_hosts(web),
        *([] if is_tls else tls.challenge(web)),
        *health_rules(web),
    ]
