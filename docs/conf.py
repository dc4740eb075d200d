"""The documentation as a site, for Sphinx: `scripts/site`. Each page is in one group."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

project = "Portico"
html_title = "Portico"
html_theme = "furo"
extensions = ["myst_parser"]
myst_heading_anchors = 4  # GitHub's names for headings
suppress_warnings = [
    "misc.highlighting_failure",  # blocks of toml and json show parts of files
    "myst.header",  # the reference has no headings between the page's and the options'
]
html_show_sphinx = False
html_copy_source = False

NAVIGATION = {
    "Start": ("install", "server", "questions", "why", "apps", "development", "compare"),
    "Guides": (
        "django", "fastapi", "streams", "downloads", "static", "https", "environment", "deploying", "releases",
        "systemd", "containers", "kubernetes", "sites", "upstream", "fleet", "many", "routing", "routes", "processes",
        "operating", "upgrading", "eject", "adopt", "from-nginx-gunicorn", "from-uwsgi", "from-apache",
    ),
    "Ideas": (
        "architecture", "trust", "nginx", "apache", "app-servers", "cache", "limits", "guard", "challenge", "crawlers",
        "waf", "access", "headers", "users", "security", "capacity", "bench", "tune", "faults", "trace", "explain",
        "learn", "decisions/README", "decisions/dependencies",
    ),
    "Reference": (
        "reference", "commands", "own-directives", "check", "check-url", "symptoms", "log", "metrics", "tracing",
        "dashboard", "glossary", "bench/README", "changelog",
    ),
}  # fmt: skip


_ANCHOR = re.compile(r"^<a id=\"([\w-]+)\"></a>\n?", re.MULTILINE)


def setup(app: Any) -> None:
    app.connect("source-read", _with_navigation)


def _with_navigation(app: Any, name: str, source: list[str]) -> None:
    """The start page has the groups, the list of decisions each of them. Anchors become what Sphinx knows by name."""
    source[0] = _ANCHOR.sub(r"\n(\1)=\n\n", source[0])
    if name == "index":
        source[0] += "".join(_tree(group, pages) for group, pages in NAVIGATION.items())
    if name == "decisions/README":
        files = sorted(Path(app.srcdir, "decisions").glob("[0-9]*.md"))
        source[0] += _tree("Decisions", [one.stem for one in files])


def _tree(caption: str, pages: Any) -> str:
    return "\n".join(("", "```{toctree}", ":hidden:", f":caption: {caption}", "", *pages, "```", ""))
