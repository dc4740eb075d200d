"""uWSGI's settings say the same in each of its formats."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from msgspec.structs import replace

from portico.explain.adopted import Fate
from portico.project.adopt.adopt import adopt
from portico.project.adopt.app_server import AppServer
from portico.project.adopt.beside import beside
from portico.project.adopt.command import server_of
from portico.project.adopt.uwsgi_file import _lines_of_names, of_file
from portico.reading import Reader

FORMATS = {
    "wiki.ini": """
[uwsgi]
base = /srv/wiki
chdir = %(base)
socket = /run/wiki.sock
socket = 127.0.0.1:3031
module = wiki.wsgi:app
master = true
processes = 6
harakiri = 45
env = SECRET_KEY=very-secret
cron = 0 3 -1 -1 -1 /srv/wiki/clean
""",
    "wiki.yaml": """
# as Galaxy has it: a name may be repeated
other:
  socket: 127.0.0.1:1
uwsgi:
  base: /srv/wiki
  chdir: '%(base)'
  socket: /run/wiki.sock
  socket: 127.0.0.1:3031
  module: "wiki.wsgi:app"     # the app
  master: true
  processes: 6
  harakiri: 45
  env:
    - SECRET_KEY=very-secret
  cron: [0 3 -1 -1 -1 /srv/wiki/clean]
more:
  processes: 1
""",
    "wiki.json": """
{"uwsgi": {
  "base": "/srv/wiki",
  "chdir": "%(base)",
  "socket": ["/run/wiki.sock", "127.0.0.1:3031"],
  "module": "wiki.wsgi:app",
  "master": true,
  "processes": 6,
  "harakiri": "45",
  "env": ["SECRET_KEY=very-secret"],
  "cron": "0 3 -1 -1 -1 /srv/wiki/clean"
}}
""",
    "wiki.xml": """<?xml version="1.0"?>
<uwsgi>
  <base>/srv/wiki</base>
  <chdir>%(base)</chdir>
  <socket>/run/wiki.sock</socket>
  <socket> 127.0.0.1:3031 </socket>
  <module>wiki.wsgi:app</module>
  <master/>
  <processes>6</processes>
  <harakiri>45</harakiri>
  <env>SECRET_KEY=very-secret</env>
  <cron>0 3 -1 -1 -1 /srv/wiki/clean</cron>
</uwsgi>
""",
}
YML = {"wiki.yml": FORMATS["wiki.yaml"]}
NGINX = (
    "server { listen 80; server_name wiki.example; location / { include uwsgi_params; uwsgi_pass %s; } }\n"
)
LAUGHS = """<!DOCTYPE uwsgi [<!ENTITY a "ha"><!ENTITY b "&a;&a;"><!ENTITY f SYSTEM "file:///etc/passwd">]>
<uwsgi><module>&b;&f;</module></uwsgi>
"""


def reader() -> Reader:
    return Reader("")


def without_places(server: AppServer) -> AppServer:
    timeout = server.timeout and replace(server.timeout, cause="", text="")
    options = tuple(replace(one, cause="", text="") for one in server.options)
    remarks = tuple(replace(one, cause="") for one in server.remarks)
    return replace(server, where="", options=options, remarks=remarks, timeout=timeout)


@pytest.mark.parametrize("name", [*FORMATS, *YML])
def test_a_format_says_what_ini_says(name: str, tmp_path: Path) -> None:
    (tmp_path / "ini").mkdir()
    (tmp_path / "ini" / "wiki.ini").write_text(FORMATS["wiki.ini"])
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / name).write_text((FORMATS | YML)[name])

    [expected] = beside([tmp_path / "ini"], reader())
    [found] = beside([tmp_path / "other"], reader())

    assert found.app == "wiki.wsgi:app"
    assert found.binds == ("uwsgi://unix:/run/wiki.sock", "uwsgi://127.0.0.1:3031")
    assert without_places(found) == without_places(expected)
    assert "very-secret" not in repr([one.text for one in found.remarks])


@pytest.mark.parametrize("name", FORMATS)
def test_each_setting_has_its_line(name: str) -> None:
    lines = FORMATS[name].splitlines()

    for key, all_found in of_file(FORMATS[name], name).items():
        for found in all_found:
            number = int(found.cause.rpartition(":")[2])
            named = key in lines[number - 1] or str(found.value) in lines[number - 1]
            assert named, (key, found)


@pytest.mark.parametrize("name", FORMATS)
def test_the_app_of_a_site_stands_in_that_file(name: str, tmp_path: Path) -> None:
    (tmp_path / "uwsgi_params").write_text("uwsgi_param QUERY_STRING $query_string;\n")
    (tmp_path / "wiki.conf").write_text(NGINX % "unix:/run/wiki.sock")
    (tmp_path / name).write_text(FORMATS[name].replace("socket>127.0.0.1:3031", "socket>"))

    [made] = adopt(tmp_path / "wiki.conf", system=()).sites

    assert 'app = "wiki.wsgi:app"' in made.text or "wiki.wsgi" in made.text
    assert "count = 6" in made.text


@pytest.mark.parametrize(
    ("words", "name"),
    [
        ("--yaml wiki.yaml", "wiki.yaml"),
        ("-y wiki.yaml", "wiki.yaml"),
        ("-x wiki.xml", "wiki.xml"),
        ("--json wiki.json", "wiki.json"),
        ("wiki.json", "wiki.json"),
        ("wiki.yaml:uwsgi", "wiki.yaml"),
        ("--ini wiki.ini", "wiki.ini"),
    ],
)
def test_a_command_line_names_the_file(words: str, name: str, tmp_path: Path) -> None:
    (tmp_path / name).write_text(FORMATS[name])

    server = server_of(f"uwsgi {words}", str(tmp_path), "unit:3", lambda path: Path(path).read_bytes())

    assert server is not None
    assert server.app == "wiki.wsgi:app"


def test_a_section_of_another_name_is_read_where_the_command_names_it(tmp_path: Path) -> None:
    assert [
        one.value
        for one in of_file("a:\n  module: x\nuwsgi:\n  module: y\n", "f.yaml", section="a")["module"]
    ] == ["x"]
    assert [one.value for one in of_file('{"a": {"module": "x"}}', "f.json", section="a")["module"]] == ["x"]
    ids = '<all><uwsgi id="a"><module>x</module></uwsgi><uwsgi id="b"><module>y</module></uwsgi></all>'
    assert [one.value for one in of_file(ids, "f.xml", section="b")["module"]] == ["y"]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("hostile.xml", LAUGHS),
        ("hostile.xml", "<uwsgi>" + "<a>" * 100_000),
        ("hostile.xml", "<uwsgi><module>no end"),
        ("hostile.json", '{"uwsgi": ' + "[" * 100_000),
        ("hostile.json", "[1, 2]"),
        ("hostile.json", '{"uwsgi": 1e999}'),
    ],
)
def test_a_hostile_file_is_an_error_or_has_no_settings(name: str, text: str, tmp_path: Path) -> None:
    (tmp_path / name).write_text(text)

    server = server_of(f"uwsgi {name}", str(tmp_path), "Procfile:1", lambda path: Path(path).read_bytes())

    assert server is not None
    assert server.app == ""
    assert beside([tmp_path], reader()) == []


def test_an_entity_is_refused_with_its_reason(tmp_path: Path) -> None:
    (tmp_path / "wiki.xml").write_text(LAUGHS)

    server = server_of("uwsgi --xml wiki.xml", str(tmp_path), "unit:3", lambda path: Path(path).read_bytes())

    assert server is not None
    [why] = [one.why for one in server.remarks if one.fate is Fate.LOST]
    assert (
        why
        == f"{tmp_path / 'wiki.xml'} cannot be read: line 1: it has a document type, which may hold entities"
    )


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("uwsgi:\n  module: |\n    a\n    b\n", ...),
        ("uwsgi:\n  module: *other\n", ...),
        ("uwsgi:\n  module: {a: b}\n", ...),
        ('uwsgi:\n  module: "a # b\n', ...),
        ("uwsgi:\n  module: no\n", "no"),
        ("uwsgi:\r\n\tmodule: a\r\n", "a"),
        ("uwsgi:\n    module: http://a:1/#b\n", "http://a:1/#b"),
    ],
)
def test_a_value_of_yaml_is_a_word_or_is_not_known(text: str, value: object) -> None:
    [found] = of_file(text, "f.yaml")["module"]

    assert found.value == value


def test_other_files_of_these_formats_are_no_app_servers(tmp_path: Path) -> None:
    (tmp_path / "compose.yaml").write_text("services:\n  uwsgi:\n    image: x\n")
    (tmp_path / "package.json").write_text('{"name": "uwsgi"}')
    (tmp_path / "pom.xml").write_text("<project><name>uwsgi</name></project>")
    os.mkfifo(tmp_path / "pipe.json")

    assert beside([tmp_path], reader()) == []


def test_a_secret_with_a_placeholder_is_not_shown() -> None:
    server = server_of(
        "uwsgi wiki.ini", "/srv", "x", lambda _: b"[uwsgi]\nenv = KEY=secret-%(unknown)\nmodule = a\n"
    )

    assert server is not None
    assert "secret-" not in repr([(one.text, one.why) for one in server.remarks])


def test_placeholders_that_double_each_other_do_not_fill_the_memory() -> None:
    lines = ["[uwsgi]", "a0 = 0123456789"]
    lines += [f"a{n} = %(a{n - 1})%(a{n - 1})" for n in range(1, 18)]
    made = of_file("\n".join(lines), "x.ini")
    assert made["a8"][0].value == "0123456789" * 256
    assert made["a9"][0].value is made["a17"][0].value is ...
    assert of_file(f"[uwsgi]\nenv = {'x' * 5000}\n", "x.ini")["env"][0].value is ...
    path = f"/srv/{'d' * 200}/x.ini"
    assert of_file(f"[uwsgi]\nenv = {'%p' * 100}\n", path)["env"][0].value is ...


def test_a_file_of_settings_without_number_is_refused() -> None:
    names = json.dumps({"uwsgi": {f"name-{n}": 1 for n in range(1001)}}, indent=1)
    with pytest.raises(ValueError, match="line 1003: it has more than 1000 settings"):
        of_file(names, "x.json")
    with pytest.raises(ValueError, match="line 1002: it has more than 1000 settings"):
        of_file("[uwsgi]\n" + "a = 1\n" * 1001, "x.ini")


def test_the_lines_of_json_are_found_in_one_pass() -> None:
    text = (
        '{"uwsgi": {\n"a\\": b": ["c", "socket"],\n"socket"\n: "/run/%n.sock", "socket": "y",\n"chdir": "/"}}'
    )
    made = of_file(text, "x.json")
    assert [(name, one.cause) for name, found in made.items() for one in found] == [
        ('a": b', "x.json:1"), ('a": b', "x.json:1"), ("socket", "x.json:3"), ("chdir", "x.json:5"),
    ]  # fmt: skip
    assert len(_lines_of_names("".join(f'"n{n}": 1,\n' for n in range(20_000)))) == 20_000
