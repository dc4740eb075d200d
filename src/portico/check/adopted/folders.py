"""The folders and files that a configuration names and that are not there, in the sandbox."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from portico.explain.adopted import AdoptedSite
from portico.explain.node import Node
from portico.explain.sandbox import Sandbox


def make_folders(sandbox: Sandbox, root: Node, sites: Sequence[AdoptedSite], folders: str) -> None:
    """Below `folders`: each folder of files with one file, each page, and the other folders empty."""
    for site in sites:
        _with_files(site, folders)
    for name in filter(lambda one: one.startswith(folders), sandbox.folders(root)):
        (Path(name).parent if Path(name).suffix else Path(name)).mkdir(parents=True, exist_ok=True)
    for name in filter(lambda one: one.startswith(folders), sandbox.pages(root)):
        _page(Path(name))


def _with_files(site: AdoptedSite, folders: str) -> None:
    for one in site.options:
        if one.key[0] in ("static", "spa") and str(one.value).startswith(folders):
            _page(Path(str(one.value), "index.html" if one.key[0] == "spa" else "sample.css"))
        if one.key[0] == "route" and str(one.value).startswith(folders):
            for name in ("index.html", "sample.css"):
                _page(Path(str(one.value), name))


def _page(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("sample\n")
