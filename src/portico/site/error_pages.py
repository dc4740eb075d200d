"""The pages that the gateway shows in the app's place: their names, and files that are none."""

from __future__ import annotations

import re

ERROR_PAGES = (
    "400",
    "401",
    "403",
    "404",
    "405",
    "413",
    "414",
    "429",
    "431",
    "502",
    "503",
    "504",
    "507",
    "busy",
    "maintenance",
    "attack",
    "banned",
    "crawler",
)
"""The error pages that the gateway can show; every other error page is the app's own."""
PAGES = frozenset(f"{name}.{kind}" for name in ERROR_PAGES for kind in ("html", "json"))

PAGE_NAMES = (
    f"the gateway shows {', '.join(ERROR_PAGES[:-1])} and {ERROR_PAGES[-1]}, each as .html or .json;\n"
    "the app answers all other errors: move the page there"
)
_STATUS_PAGE = re.compile(r"[45]\d\d\.(html|json)")
"""A page named by its status: an unused one is harmless, a misspelt name is an error."""
_PAGE_LIKE = re.compile(
    rf"(\d{{3}}|{'|'.join(name for name in ERROR_PAGES if not name.isdigit())})\.(html?|json)", re.IGNORECASE
)


def is_page_like(name: str) -> bool:
    """Whether a file looks like one of these pages, perhaps misspelt."""
    return _PAGE_LIKE.fullmatch(name) is not None


def wrong_pages(names: list[str]) -> str:
    """What is wrong with the directory of these pages, or None."""
    unused = [name for name in names if name not in PAGES and not _STATUS_PAGE.fullmatch(name)]
    if unused:
        return f"has {', '.join(unused)}, which would never be shown"
    return "" if names else "has no page in it"
