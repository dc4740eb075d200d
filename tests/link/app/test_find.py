"""Where the app is looked for; nothing is imported."""

from __future__ import annotations

from pathlib import Path

import pytest

from portico.link.app.error import AppError
from portico.link.app.find import find, modules_in

FLASK = "from flask import Flask\napp = Flask(__name__)\n"


@pytest.fixture(autouse=True)
def _no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("FLASK_APP", raising=False)
    monkeypatch.delenv("DJANGO_SETTINGS_MODULE", raising=False)


def tree(directory: Path, *files: str, content: str = FLASK) -> Path:
    for name in files:
        (directory / name).parent.mkdir(parents=True, exist_ok=True)
        (directory / name).write_text(content)
    return directory


@pytest.mark.parametrize(
    ("files", "reference", "found"),
    [
        (["shop.py"], "shop", ". shop "),
        (["shop.py"], "shop:app", ". shop app"),
        (["shop.py"], "shop:create_app('a:b', x=1)", ". shop create_app('a:b', x=1)"),
        (["shop.py"], "shop.py", ". shop "),
        (["shop.py"], "./shop.py:app", ". shop app"),
        (["shop.py"], "./shop", ". shop "),
        (["a/b/shop.py"], "a/b/shop.py", "a/b shop "),
        (["a/b/shop.py"], "a/../a/b/shop.py", "a/b shop "),
        (["a/__init__.py", "a/b/__init__.py", "a/b/shop.py"], "a/b/shop.py:app", ". a.b.shop app"),
        (["x/a/__init__.py", "x/a/shop.py"], "x/a/shop.py", "x a.shop "),
        (["x/a/__init__.py"], "x/a", "x a "),
        (["x/a/__init__.py"], "x/a/__init__.py", "x a "),
        (["x/app.py"], "x", "x app "),
        (["x/wsgi.py"], "x/", "x wsgi "),
        (["x/shop.py"], "x:site", "x shop site"),
        (["app.py"], ".", ". app "),
        (["my-shop.py"], "my-shop", ". my-shop "),
        (["wsgi.py", "app.py", "shop.py"], "", ". wsgi "),
        (["app.py", "shop.py", "manage.py"], "", ". app "),
        (["shop.py", "test_shop.py", "conftest.py", "setup.py"], "", ". shop "),
        (["shop/__init__.py", "shop/views.py"], "", ". shop "),
        (["site/wsgi.py", "manage.py"], "", ". site.wsgi "),
    ],
)
def test_a_reference_leads_to_a_module(tmp_path: Path, files: list[str], reference: str, found: str) -> None:
    target = find(reference, tree(tmp_path, *files))
    assert f"{target.directory.relative_to(tmp_path)} {target.module} {target.expression}" == found


def test_flask_app_comes_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FLASK_APP", "deep/shop.py:make_app()")
    target = find("", tree(tmp_path, "wsgi.py", "deep/shop.py"))
    assert target == ("FLASK_APP=deep/shop.py:make_app()", tmp_path / "deep", "shop", "make_app()")


def test_flask_app_is_read_from_dotenv_files(tmp_path: Path) -> None:
    tree(tmp_path, "app.py", "shop.py")
    (tmp_path / ".flaskenv").write_text("# the app\nexport FLASK_APP='shop:site'\nFLASK_DEBUG=1\n")
    assert find("", tmp_path)[2:] == ("shop", "site")


@pytest.mark.parametrize(
    ("settings", "found"),
    [
        ("proj/settings.py", ("proj.web", "handler")),
        ("proj/settings/__init__.py", ("proj.web", "handler")),
    ],
)
def test_django_settings_name_the_application(tmp_path: Path, settings: str, found: tuple[str, str]) -> None:
    tree(tmp_path, settings, content="DEBUG = False\nWSGI_APPLICATION = 'proj.web.handler'\n")
    tree(tmp_path, "manage.py", content="os.environ.setdefault('DJANGO_SETTINGS_MODULE', 'proj.settings')")
    assert find("", tmp_path)[2:] == found


def test_a_link_to_the_current_release_stays_a_link(tmp_path: Path) -> None:
    tree(tmp_path, "releases/1/app.py")
    (tmp_path / "current").symlink_to("releases/1")
    assert find("current/app.py", tmp_path).directory == tmp_path / "current"


def test_two_candidates_are_a_question(tmp_path: Path) -> None:
    with pytest.raises(AppError, match=r"2 modules here define an app: api, shop$"):
        find("", tree(tmp_path, "shop.py", "api/__init__.py"))


def test_modules_are_files_and_packages(tmp_path: Path) -> None:
    tree(tmp_path, "b.py", "a/__init__.py", "c/plain.py", "__init__.py")
    assert modules_in(tmp_path) == ["a", "b"]
