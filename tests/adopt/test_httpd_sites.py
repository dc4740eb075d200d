"""Configurations of Apache httpd become valid files of Portico, each in the folder of its app."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from portico.errors import PorticoError
from portico.project.adopt.adopt import adopt
from portico.project.adopt.combine import with_rule
from portico.site.load import refusals

CORPUS = Path(__file__).parents[1] / "explain" / "httpd_corpus"


@pytest.mark.parametrize("file", sorted(CORPUS.glob("*.conf")), ids=lambda file: file.stem)
def test_what_is_written_is_a_valid_portico_toml(file: Path) -> None:
    try:
        result = adopt(file, system=())
    except PorticoError:
        assert file.stem == "broken"
        return
    assert result.language.name == "apache"
    for one in result.sites:
        assert bool(one.text) != bool(one.site.refused)
        assert refusals(one.text) == {}
        tomllib.loads(one.text)


def test_no_option_of_the_corpus_is_refused_by_portico() -> None:
    """An option that portico.toml would not take is left out with a remark: none of these is."""
    for file in sorted(CORPUS.glob("*.conf")):
        if file.stem == "broken":
            continue
        result = adopt(file, system=())
        for before, made in zip(result.language.adopted(result.root).sites, result.sites, strict=True):
            kept = {option.key for option in made.site.options}
            assert made.site.refused or kept == {option.key for option in with_rule(before).options}, (
                file.stem
            )


def test_an_app_of_mod_wsgi_is_written_into_its_folder() -> None:
    (made,) = adopt(CORPUS / "django-wsgi.conf", system=()).sites
    assert made.directory == "/srv/shop"
    assert tomllib.loads(made.text)["app"] == "shop.wsgi:application"


def test_files_beside_an_app_below_a_prefix_are_said_to_be_lost() -> None:
    for name, prefix in (("prefix", "/app"), ("wsgi-below-a-prefix", "/wiki")):
        [made] = adopt(CORPUS / f"{name}.conf", system=()).sites
        [lost] = [one.why for one in made.site.remarks if one.text.startswith("DocumentRoot")]
        assert (
            lost == f"files of /srv/intern answered elsewhere than below {prefix}, where there is nothing now"
        )


def test_a_directory_of_debians_layout(tmp_path: Path) -> None:
    (tmp_path / "sites-enabled").mkdir()
    (tmp_path / "envvars").write_text("export APACHE_LOG_DIR=/var/log/apache2\n")
    main = "ErrorLog ${APACHE_LOG_DIR}/error.log\nListen 80\nIncludeOptional sites-enabled/*.conf\n"
    (tmp_path / "apache2.conf").write_text(main)
    for name in ("certbot", "two-apps"):
        (tmp_path / "sites-enabled" / f"{name}.conf").write_text((CORPUS / f"{name}.conf").read_text())
    result = adopt(tmp_path, system=())
    assert [one.site.name for one in result.sites] == ["shop"]
    (tmp_path / "sites-enabled" / "two-apps.conf").unlink()
    (tmp_path / "sites-enabled" / "five.conf").write_text((CORPUS / "five-thousand.conf").read_text())
    assert sorted(one.site.name for one in adopt(tmp_path, system=()).sites) == ["flask", "shop"]
