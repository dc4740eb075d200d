"""The documentation as a site: every page is in a group, and every link leads somewhere."""

from __future__ import annotations

import os
import re
import runpy
import subprocess
import sys

from tests import compare_page
from tests.support import ROOT, private_directory

DOCS = ROOT / "docs"


def test_the_site_is_built_without_a_warning() -> None:
    """Sphinx reads each page and resolves each link and anchor. It writes no HTML: that takes three times as long."""
    with private_directory() as home:
        done = subprocess.run(
            [ROOT / "scripts/site", home / "out", "dummy"], env=os.environ | {"PYTHON": sys.executable},
            stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=280, check=False,
        )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert not done.stderr


def test_each_page_is_in_one_group_of_the_site() -> None:
    groups = runpy.run_path(str(DOCS / "conf.py"))["NAVIGATION"]
    listed = [page for pages in groups.values() for page in pages]
    outside = {"architecture", "changelog", "bench/README"}
    assert len(listed) == len(set(listed))
    decisions = {"decisions/README", "decisions/dependencies"}
    assert set(listed) - outside == {path.stem for path in DOCS.glob("*.md")} - {"index"} | decisions


def test_the_comparison_has_the_figures_of_the_bench() -> None:
    assert (DOCS / "compare.md").read_text() == compare_page.page(), "run `make docs`"


def test_a_reader_finds_ten_answers_from_the_start_page() -> None:
    """Each row is a question and the page with its answer; what a link leads to, the site's build sees."""
    rows = re.findall(
        r"^\| (.+\?.*?) \| \[.+?\]\((\S+?)\) \|$", (DOCS / "index.md").read_text(), re.MULTILINE
    )
    assert len(rows) >= 10
    assert all((DOCS / target.partition("#")[0]).is_file() for _, target in rows)
