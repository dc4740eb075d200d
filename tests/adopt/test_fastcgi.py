"""FastCGI servers of nginx and httpd: a rule, or what the site's app is, where the server is told the same."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import pytest

from portico.explain.adopted import Fate
from portico.project.adopt.adopt import Result, adopt

PARAMETERS = "".join(
    f"fastcgi_param {name} {value};\n"
    for name, value in (
        ("QUERY_STRING", "$query_string"),
        ("REQUEST_METHOD", "$request_method"),
        ("SCRIPT_NAME", "$fastcgi_script_name"),
        ("REQUEST_URI", "$request_uri"),
        ("DOCUMENT_ROOT", "$document_root"),
        ("SERVER_NAME", "$server_name"),
    )
)
"""Debian's fastcgi_params, in short."""
AT_THE_ROOT = 'fastcgi_param PATH_INFO $fastcgi_script_name; fastcgi_param SCRIPT_NAME "";'
"""As Flask's documentation had it for flup."""
BELOW = """fastcgi_split_path_info ^(/shop)(.*)$;
fastcgi_param PATH_INFO $fastcgi_path_info; fastcgi_param SCRIPT_NAME $fastcgi_script_name;"""
APP = "location / { proxy_pass http://127.0.0.1:8000; }"


def of_nginx(directory: Path, inner: str) -> Result:
    (directory / "fastcgi_params").write_text(PARAMETERS)
    path = directory / "shop.conf"
    path.write_text(f"server {{ listen 80; server_name shop.example;\n{inner}\n}}\n")
    return adopt(path, system=())


def of_httpd(directory: Path, inner: str) -> Result:
    path = directory / "shop.conf"
    path.write_text(f"<VirtualHost *:80>\nServerName shop.example\n{inner}\n</VirtualHost>\n")
    return adopt(path, system=())


def options(result: Result) -> dict[str, Any]:
    [made] = result.sites
    assert not made.site.refused, made.site.refused
    return tomllib.loads(made.text)


def differs(result: Result) -> list[str]:
    return [one.differs for one in result.sites[0].site.options if "SCRIPT_NAME" in one.differs]


@pytest.mark.parametrize(
    ("address", "server"),
    [
        ("127.0.0.1:9000", "fastcgi://127.0.0.1:9000"),
        ("unix:/run/shop.sock", "fastcgi://unix:/run/shop.sock"),
        ("localhost:9000", "fastcgi://127.0.0.1:9000"),
    ],
)
def test_a_server_that_gets_the_whole_path_is_a_rule(address: str, server: str, tmp_path: Path) -> None:
    inner = f"{APP} location /legacy/ {{ include fastcgi_params; {AT_THE_ROOT} fastcgi_pass {address}; }}"
    result = of_nginx(
        tmp_path, inner.replace("include fastcgi_params", "fastcgi_param QUERY_STRING $query_string")
    )

    made = options(result)

    assert made["route"] == [{"path": "/legacy/", "to": server}]
    assert "nginx" not in made


@pytest.mark.parametrize(
    "inner",
    [
        "include fastcgi_params;",  # no PATH_INFO at all
        f"include fastcgi_params; {BELOW}",
        f"{AT_THE_ROOT} fastcgi_param SHOP_THEME dark;",
        f"{AT_THE_ROOT} fastcgi_index index.fcgi;",
        "fastcgi_param SCRIPT_FILENAME $document_root$fastcgi_script_name;",
    ],
)
def test_a_location_that_tells_more_stays_as_it_is(inner: str, tmp_path: Path) -> None:
    made = options(of_nginx(tmp_path, f"{APP} location /shop/ {{ {inner} fastcgi_pass 127.0.0.1:9000; }}"))

    assert "route" not in made
    [kept] = made["nginx"]["server"]
    assert "fastcgi_pass 127.0.0.1:9000;" in kept
    for word in ("SHOP_THEME dark", "fastcgi_split_path_info", "SCRIPT_FILENAME", "fastcgi_index"):
        assert (word in kept) == (word in inner)


def test_the_app_of_the_site_says_how_its_parameters_differ(tmp_path: Path) -> None:
    same = of_nginx(tmp_path, f"location / {{ {AT_THE_ROOT} fastcgi_pass 127.0.0.1:9000; }}")
    other = of_nginx(tmp_path, "location / { include fastcgi_params; fastcgi_pass 127.0.0.1:9000; }")

    assert options(same)["upstream"]["servers"] == ["fastcgi://127.0.0.1:9000"]
    assert differs(same) == []
    [said] = differs(other)
    assert said.endswith("they were $fastcgi_script_name and empty; without DOCUMENT_ROOT")


@pytest.mark.parametrize("way", ["named", "direct"])
def test_an_app_below_a_prefix_keeps_its_locations_and_the_rest_is_404(way: str, tmp_path: Path) -> None:
    passed = f"include fastcgi_params; {BELOW} fastcgi_pass unix:/run/shop.sock;"
    named = f"location /shop {{ try_files $uri @shop; }} location @shop {{ {passed} }}"
    slash = "location = /shop { rewrite ^ /shop/ last; }"

    made = options(
        of_nginx(tmp_path, f"{slash} {named if way == 'named' else f'location /shop/ {{ {passed} }}'}")
    )

    assert made["route"] == [{"path": "/", "to": "404"}]
    kept = "\n".join(made["nginx"]["server"])
    assert "fastcgi_split_path_info ^(/shop)(.*)$;" in kept
    assert "location = /shop {" in kept
    assert ("location @shop {" in kept) == (way == "named")


def test_a_uwsgi_app_below_a_prefix_is_found_behind_a_named_location(tmp_path: Path) -> None:
    (tmp_path / "uwsgi_params").write_text("uwsgi_param QUERY_STRING $query_string;\n")
    slash = "location = /shop { rewrite ^ /shop/ last; }"
    named = "location @shop { include uwsgi_params; uwsgi_pass 127.0.0.1:3031; }"

    result = of_nginx(tmp_path, f"{slash} location /shop {{ try_files $uri @shop; }} {named}")
    made = options(result)

    assert made["mount"] == "/shop"
    assert made["upstream"]["servers"] == ["uwsgi://127.0.0.1:3031"]
    assert "nginx" not in made
    assert any("(308)" in one.why for one in result.sites[0].site.remarks)


def test_php_is_refused_as_an_app_and_kept_beside_one(tmp_path: Path) -> None:
    php = "fastcgi_param SCRIPT_FILENAME /srv/index.php; fastcgi_pass unix:/run/php/php8.2-fpm.sock;"

    alone = of_nginx(tmp_path, f"location / {{ {php} }}")
    beside = of_nginx(tmp_path, f"{APP} location ~ \\.php$ {{ {php} }}")

    assert alone.sites[0].site.refused == "its requests go to PHP, and Portico runs apps in Python"
    assert "php8.2-fpm" in options(beside)["nginx"]["server"][0]


def test_parameters_of_an_include_do_not_stop_a_rule_over_http(tmp_path: Path) -> None:
    (tmp_path / "proxy_params").write_text(
        "proxy_set_header Host $http_host;\nproxy_set_header X-Real-IP $remote_addr;\n"
    )

    made = options(
        of_nginx(
            tmp_path, f"{APP} location /api/ {{ include proxy_params; proxy_pass http://127.0.0.1:9000; }}"
        )
    )

    assert made["route"] == [{"path": "/api/", "to": "http://127.0.0.1:9000"}]


def test_httpd_leads_to_a_fastcgi_server_by_a_rule(tmp_path: Path) -> None:
    result = of_httpd(
        tmp_path, "ProxyPass /legacy/ fcgi://127.0.0.1:9001/\nProxyPass / http://127.0.0.1:8000/"
    )

    assert options(result)["route"] == [{"path": "/legacy/", "to": "fastcgi://127.0.0.1:9001"}]
    assert differs(result) == [
        "PATH_INFO is the whole path and SCRIPT_NAME is empty; no file is named (SCRIPT_FILENAME)"
    ]


def test_httpd_with_a_fastcgi_server_below_a_prefix_alone(tmp_path: Path) -> None:
    made = options(of_httpd(tmp_path, "ProxyPass /legacy/ fcgi://127.0.0.1:9001/"))

    assert made["route"] == [
        {"path": "/legacy/", "to": "fastcgi://127.0.0.1:9001"},
        {"path": "/", "to": "404"},
    ]
    assert "mount" not in made


@pytest.mark.parametrize(
    ("line", "why"),
    [
        (
            "ProxyPass /php/ fcgi://127.0.0.1:9002/srv/php/",
            "it names files below /srv/php for its FastCGI server, as PHP needs: a [[route]] names none",
        ),
        (
            "ProxyPass /v/ uwsgi://127.0.0.1:3032/",
            "its uwsgi server gets paths without /v/: a [[route]] strips it for HTTP servers alone",
        ),
        (
            "ProxyPass /v/ fcgi://127.0.0.1:9002/v/ timeout=5",
            "a [[route]] has no time or pattern of its own for a FastCGI server",
        ),
    ],
)
def test_what_a_rule_of_httpd_cannot_be_is_said(line: str, why: str, tmp_path: Path) -> None:
    result = of_httpd(tmp_path, f"{line}\nProxyPass / http://127.0.0.1:8000/")

    assert why in [one.why for one in result.sites[0].site.remarks if one.fate is Fate.LOST]


def test_httpd_keeps_a_uwsgi_server_with_its_whole_path_as_a_rule(tmp_path: Path) -> None:
    made = options(
        of_httpd(tmp_path, "ProxyPass /u/ uwsgi://127.0.0.1:3031/u/\nProxyPass / http://127.0.0.1:8000/")
    )

    assert made["route"] == [{"path": "/u/", "to": "uwsgi://127.0.0.1:3031"}]
