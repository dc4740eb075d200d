"""Where the app is looked for; nothing is imported."""

from __future__ import annotations

from pathlib import Path

import pytest

from portico.link.app.error import AppError
from portico.link.app.find.find import find, modules_in

MANAGE = "os.environ.setdefault('DJANGO_SETTINGS_MODULE', 'proj.settings')\nimport django\n"
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
        (["app/main.py"], "", "app main "),
        (["src/shop/__init__.py"], "", "src shop "),
        (["src/main.py", "src/util.py", "docs/conf.py"], "", "src main "),
        (["backend/wsgi.py", "tests/app.py"], "", "backend wsgi "),
        (["manage.py", "shop.py"], "", ". shop "),
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
    ("main", "found"),
    [
        ("app/main.py", ". app.main"),
        ("backend/app/main.py", "backend app.main"),
        ("src/main.py", ". src.main"),
    ],
)
def test_the_main_module_of_a_package_is_found(tmp_path: Path, main: str, found: str) -> None:
    """`app.main` as `uvicorn app.main:app` wants it: the package imports itself by its name."""
    tree(tmp_path, main, "frontend/package.json")
    tree(tmp_path, f"{Path(main).parent}/__init__.py", content="")
    target = find("", tmp_path)
    assert f"{target.directory.relative_to(tmp_path)} {target.module}" == found


def test_a_folder_that_imports_itself_by_its_name_is_a_package(tmp_path: Path) -> None:
    tree(tmp_path, "app/main.py", content=FLASK + "from app.routes import all\n")
    assert find("", tmp_path)[1:3] == (tmp_path, "app.main")


@pytest.mark.parametrize(
    ("settings", "found"),
    [
        ("proj/settings.py", ("proj.web", "handler")),
        ("proj/settings/__init__.py", ("proj.web", "handler")),
    ],
)
def test_django_settings_name_the_application(tmp_path: Path, settings: str, found: tuple[str, str]) -> None:
    tree(tmp_path, settings, content="DEBUG = False\nWSGI_APPLICATION = 'proj.web.handler'\n")
    tree(tmp_path, "manage.py", content=MANAGE)
    assert find("", tmp_path)[2:] == found


def test_a_django_project_has_its_wsgi_module_beside_the_settings(tmp_path: Path) -> None:
    tree(tmp_path, "backend/proj/settings.py", "backend/proj/wsgi.py")
    tree(tmp_path, "backend/manage.py", content=MANAGE)
    target = find("", tmp_path)
    assert (target.directory, target.module) == (tmp_path / "backend", "proj.wsgi")


def test_channels_want_the_asgi_application(tmp_path: Path) -> None:
    """Its WSGI application answers a WebSocket with 404."""
    settings = "WSGI_APPLICATION = 'proj.wsgi.application'\nASGI_APPLICATION = 'proj.asgi.application'\n"
    tree(tmp_path, "manage.py", content=MANAGE)
    tree(tmp_path, "proj/settings.py", content=settings)
    assert find("", tmp_path)[2:] == ("proj.wsgi", "application")
    for app in ("channels", "daphne"):
        (tmp_path / "proj/settings.py").write_text(
            f"{settings}INSTALLED_APPS = ['{app}', 'django.contrib.auth']\n"
        )
        assert find("", tmp_path)[2:] == ("proj.asgi", "application")


def test_a_flask_project_with_a_manage_py_is_not_django(tmp_path: Path) -> None:
    tree(tmp_path, "manage.py", content="from flask_script import Manager\nfrom shop import app\n")
    tree(tmp_path, "shop.py", "site/wsgi.py")
    assert find("", tmp_path).module == "shop"


DOCKER = "FROM python\nWORKDIR /srv\nCOPY . .\n{}\n"


@pytest.mark.parametrize(
    ("name", "text", "found"),
    [
        ("Procfile", "worker: celery -A shop worker\nweb: gunicorn -b 0.0.0.0:$PORT -w 4 shop:site", ". shop site"),
        ("Procfile", "web: gunicorn shop --log-file -", None),
        ("Procfile", "web: gunicorn --workers=3 shop", ". shop "),
        ("Procfile", "web: gunicorn --chdir deep 'shop:create_app(\"a\")'", 'deep shop create_app("a")'),
        ("Procfile", "web: flask db upgrade && newrelic-admin run-program gunicorn shop:site", ". shop site"),
        ("Procfile", "web: waitress-serve --port=$PORT --call shop:build", ". shop build()"),
        ("Procfile", "web: uvicorn --factory --app-dir deep shop:build --host 0.0.0.0 --port 80", "deep shop build()"),
        ("Procfile", "web: python deep/shop.py", "deep shop "),
        ("Procfile", "web: flask --app deep/shop run", "deep shop "),
        ("Procfile", "web: gunicorn elsewhere:app", None),
        ("Dockerfile", DOCKER.format('CMD ["uvicorn", "deep.shop:site", "--host", "0.0.0.0"]'), ". deep.shop site"),
        ("Dockerfile", DOCKER.format('CMD ["sh", "-c", "migrate && exec gunicorn -b :80 shop:site"]'), ". shop site"),
        ("Dockerfile", DOCKER.format("CMD gunicorn \\\n  --chdir /srv/deep \\\n  shop:site"), "deep shop site"),
        ("Dockerfile", DOCKER.format('CMD ["fastapi", "run", "deep/shop.py", "--port", "80"]'), "deep shop "),
        ("Dockerfile", DOCKER.format('ENV FLASK_APP=shop.py\nCMD ["flask", "run"]'), ". shop "),
        ("Dockerfile", DOCKER.format('CMD ["python", "manage.py", "runserver"]'), None),
        ("Dockerfile", DOCKER.format('CMD ["python", "work.py"]'), None),
        ("Dockerfile", DOCKER.format('CMD ["nginx", "-g", "daemon off;"]'), None),
        ("gunicorn.conf.py", "import os\nwsgi_app = 'shop:site'\nchdir = 'deep'\n", "deep shop site"),
    ],
)  # fmt: skip
def test_the_files_of_other_servers_name_the_app(
    tmp_path: Path, name: str, text: str, found: str | None
) -> None:
    """Only what is there counts; app.py is what is found without them."""
    tree(tmp_path, "app.py", "shop.py", "deep/shop.py")
    tree(tmp_path, "manage.py", "work.py", content="import this\n")
    (tmp_path / name).write_text(text)
    target = find("", tmp_path)
    told = f"{target.directory.relative_to(tmp_path)} {target.module} {target.expression}"
    assert told == (found or ". app ")


INI = "[app:main]\nuse = egg:shop\n"


def test_pyramid_s_file_describes_the_app(tmp_path: Path) -> None:
    tree(tmp_path, "shop/views.py", "setup.py", content="")
    tree(
        tmp_path,
        "shop/__init__.py",
        content="def main(settings):\n    return Configurator().make_wsgi_app()\n",
    )
    tree(tmp_path, "development.ini", "production.ini", content=INI)
    tree(tmp_path, "tox.ini", content="[testenv]\n")
    assert find("", tmp_path)[1:] == (tmp_path, "portico.link.app.paste", "app('production.ini')")
    assert find("development.ini:admin", tmp_path)[3] == "app('development.ini', 'admin')"
    (tmp_path / "production.ini").unlink()
    with pytest.raises(AppError, match=r"described in development\.ini, and in no production\.ini"):
        find("", tmp_path)


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
