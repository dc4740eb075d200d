"""The runtime directory goes away under a running site."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest

from tests.support.until import until

if TYPE_CHECKING:
    from tests.run.conftest import Site


@pytest.mark.parametrize("what", ["the runtime directory", "control.sock"])
def test_a_removed_runtime_directory_ends_the_run_with_words(site: Site, what: str) -> None:
    site.start()
    if what == "control.sock":
        (site.runtime / what).unlink()
    else:
        shutil.rmtree(site.runtime)
    assert site.wait() == 1
    assert f"{what} was removed while the site ran" in site.hear("Error")["text"]
    assert not any(one["notice"] in ("Trouble", "WatcherFailed") for one in site.notices)
    assert "portico/run" not in site.words, "no traceback of ours"
    until(lambda: not site.processes())
