"""The table [headers]."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from portico.site.options.section import Section, option


class Headers(Section, frozen=True):
    """Headers of every response, unless the app sets them itself."""

    shorthand: ClassVar[str] = "preset"

    preset: Annotated[
        Literal["off", "strict", "api"],
        option(
            "The base set of headers: `strict` for pages, `api` for an API without pages, `off` for none. "
            "docs/headers.md lists them.",
            example="strict",
            source="https://developer.mozilla.org/docs/Web/HTTP/Reference/Headers",
        ),
    ] = "off"
    csp: Annotated[
        str,
        option(
            "Content-Security-Policy; replaces the preset's.",
            example="default-src 'self'; img-src 'self' https://img.shop.example",
            source="https://developer.mozilla.org/docs/Web/HTTP/Reference/Headers/Content-Security-Policy",
        ),
    ] = ""
    csp_report_only: Annotated[
        bool,
        option(
            "Browsers only report what the policy would block (Content-Security-Policy-Report-Only).",
            example=True,
        ),
    ] = False
    frames: Annotated[
        list[str],
        option(
            "Which sites may show this site's pages in a frame: `none`, or `self` and origins. It sets "
            "X-Frame-Options and `frame-ancestors`. Default: the preset's.",
            example=["self", "https://partner.example"],
            source="https://developer.mozilla.org/docs/Web/HTTP/Reference/Headers/Content-Security-Policy/frame-ancestors",
        ),
    ] = []
    set: Annotated[
        dict[str, str],
        option(
            'Additional headers, and other values for those of the preset; `""` removes one.',
            example={"Permissions-Policy": "camera=(self)"},
        ),
    ] = {}
    remove: Annotated[
        list[str],
        option(
            "Headers of the app that clients do not get, in addition to those that the preset removes. If a "
            "header is also in `set`, every answer has the value from there.",
            example=["X-Runtime"],
        ),
    ] = []
