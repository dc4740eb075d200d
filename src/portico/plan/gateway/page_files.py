"""The error pages as files: what a gateway puts into them at run time is marked in its own words."""

from __future__ import annotations

import html
import json
from collections.abc import Mapping
from functools import lru_cache
from typing import NamedTuple

from portico.plan.files import File, Line
from portico.plan.web.pages import Page, Pages


class Marks(NamedTuple):
    """What the gateway replaces: by the request's ID, and by the message of `portico maintenance` in both formats."""

    request_id: str
    message_html: str
    message_json: str


def page_files(pages: Pages, marks: Marks, others: Mapping[str, str]) -> list[File]:
    """The pages as files below the configuration directory; the user's own replace Portico's. `others` are further
    texts by their names.
    """
    made = {f"{one.file}.html": _html(one, marks, has_id=one.file not in pages.plain) for one in pages.made}
    made |= {f"{one.file}.json": _json(one, marks, has_id=one.file not in pages.plain) for one in pages.made}
    made |= others
    return [
        _page_file(name, pages.written.get(name, text), pages.cause, is_own=name in pages.written)
        for name, text in sorted(made.items())
    ]


def rule_page(name: str, text: str, cause: str) -> File:
    """The page that a rule shows."""
    return _page_file(name, text, cause, is_own=True)


@lru_cache(64)
def _page_file(name: str, text: str, cause: str, *, is_own: bool) -> File:
    why = "your own page" if is_own else "the page itself"
    return File(
        f"errors/{name}",
        tuple(Line(line, why, "", cause, is_users=is_own) for line in text.splitlines()),
    )


_MESSAGE = "MESSAGE"
"""Stands in JSON for what `portico maintenance on --message` says."""


@lru_cache(128)
def _json(page: Page, marks: Marks, *, has_id: bool) -> str:
    error: dict[str, object] = {
        "status": page.status,
        "title": page.title,
        "detail": _MESSAGE if page.has_message else page.text,
    }
    error |= {"request_id": "ID"} if has_id else {}
    text = json.dumps({"error": error}, ensure_ascii=False).replace("ID", marks.request_id)
    return text.replace(_MESSAGE, marks.message_json)


@lru_cache(128)
def _html(page: Page, marks: Marks, *, has_id: bool) -> str:
    footer = f"\n<footer>Request {marks.request_id}</footer>" if has_id else ""
    seconds = page.refresh_seconds
    refresh = f'\n<meta http-equiv="refresh" content="{seconds}">' if seconds else ""
    text = marks.message_html if page.has_message else html.escape(page.text)
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">{refresh}
<title>{html.escape(page.title)}</title>
<style>
:root {{ color-scheme: light dark; --ink: #1d2433; --soft: #5b6475; --paper: #f6f7f9; --line: #d7dbe2; }}
@media (prefers-color-scheme: dark) {{
  :root {{ --ink: #e8ebf1; --soft: #9aa4b5; --paper: #14171d; --line: #2c323d; }}
}}
body {{ margin: 0; min-height: 100vh; display: grid; place-items: center; background: var(--paper);
  color: var(--ink); font: 17px/1.55 system-ui, sans-serif; }}
main {{ max-width: 30rem; padding: 2rem; }}
.status {{ color: var(--soft); font-variant-numeric: tabular-nums; letter-spacing: .06em; margin: 0; }}
h1 {{ font-size: 1.7rem; line-height: 1.2; margin: .3rem 0 .8rem; }}
footer {{ margin-top: 2rem; padding-top: .8rem; border-top: 1px solid var(--line); color: var(--soft);
  font-size: .8rem; overflow-wrap: anywhere; }}
</style>
</head>
<body>
<main>
<p class="status">{page.status}</p>
<h1>{html.escape(page.title)}</h1>
<p>{text}</p>{footer}
</main>
</body>
</html>"""
