"""What is adopted can be planned: with the folders and files that it names, `plan` accepts it, and nginx the result."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from msgspec.structs import replace

from portico.check.adopted.folders import make_folders
from portico.explain.sandbox import Files
from portico.place.gateway.nginx import find_nginx
from portico.place.model import Build
from portico.plan.build import plan
from portico.plan.model import Plan
from portico.project.adopt.adopt import adopt
from portico.project.adopt.combine import with_named_app
from portico.project.adopt.toml import toml_of
from portico.project.adopt.valid import without_broken
from portico.site.facts import AppFacts
from portico.site.load import load
from portico.site.resolve import resolve
from tests.adopt.test_corpus import CORPUS, NAMES, source
from tests.plan.test_accepted import warnings
from tests.plan.test_golden import DEBIAN, FACTS, PLACE

USER = "nobody:$6$rounds=5000$saltsalt$" + "a" * 86
ACCEPTED = ("certbot.conf", "limits.conf", "proxy-cache.conf", "auth-request.conf", "maps-and-variables.conf")


@pytest.mark.parametrize("name", [name for name in NAMES if name != "broken-brace.conf"])
def test_plan_accepts_what_is_adopted(name: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(CORPUS.parent)
    assert all("nginx.conf" in [file.path for file in made.files] for made in plans(name, tmp_path))


@pytest.mark.parametrize("name", ACCEPTED)
def test_nginx_accepts_what_is_adopted(name: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(CORPUS.parent)
    build = find_nginx("embedded")
    for made in plans(name, tmp_path, build):
        warnings(made, build)


def plans(name: str, directory: Path, build: Build = DEBIAN) -> Iterator[Plan]:
    """The plan of each site that is not refused, with folders of its own in the place of those it names."""
    files = Files(*(str(directory / one) for one in ("cert.pem", "key.pem", "users", "files", "app.py")))
    for one in (files.certificate, files.key, files.users):
        Path(one).write_text(f"{USER}\n")
    result = adopt(source(name), system=())
    sandbox = result.language.sandbox
    assert sandbox is not None
    root = sandbox.relocated(result.root, lambda _, address: address, files, lambda _: False)
    sites = result.language.adopted(root).sites
    make_folders(sandbox, root, sites, files.folders)
    for at, (made, site) in enumerate(zip(result.sites, sites, strict=True)):
        if not made.text:
            continue
        if made.site.value("app") is not None:
            site, _ = with_named_app(site, "shop:app", str(directory))
        toml = directory / f"{at}.toml"
        toml.write_text(toml_of(without_broken(site), "the corpus"))
        options, causes = load(toml, {})
        facts = AppFacts("", str(directory), kind="remote") if options.upstream.servers else FACTS
        yield plan(resolve(options, facts, Path("/srv/shop"), causes), replace(PLACE, gateway=build))
