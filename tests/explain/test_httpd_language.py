"""httpd's language: words, what is in force, verdicts of well-known traps, changed and moved lines, the command."""

from __future__ import annotations

import json
import os
import re
import subprocess
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from msgspec.structs import replace

from portico.cli import portico
from portico.errors import UsageError
from portico.explain.change import Change
from portico.explain.httpd.effect import in_force, notes
from portico.explain.httpd.language import HTTPD
from portico.explain.httpd.match import ends, levels, page, verdict
from portico.explain.httpd.names import MODULE_OF
from portico.explain.httpd.paths import fits, matched, normalised
from portico.explain.httpd.read import read
from portico.explain.httpd.servers import ports
from portico.explain.httpd.words import words
from portico.explain.httpd.written import alone
from portico.explain.language import Setting
from portico.explain.languages import LANGUAGES, language_of_file
from portico.explain.nginx.language import NGINX
from portico.explain.node import Node
from portico.explain.verdict import Asked, NoServerError, Verdict
from tests.support import free_port
from tests.support.httpd import PROGRAM, loads

FILE = r"""
ServerName main.example
Listen 80
DocumentRoot /srv/main
Header set X-Everywhere yes
CustomLog /var/log/main.log common
RewriteEngine On
RewriteRule ^/main$ - [F]
<Directory />
    AllowOverride None
    Require all denied
</Directory>
<Directory /srv>
    Require all granted
</Directory>
<VirtualHost *:80>
    ServerName shop.example
    ServerAlias *.shop.example
    Header set X-Shop yes
    CustomLog /var/log/shop.log common
    ErrorDocument 502 /down.html
    ProxyPass /static !
    ProxyPass /api http://127.0.0.1:8001
    ProxyPass / http://127.0.0.1:8000/
    Redirect /old http://else.example/
    Alias /static /srv/static
    <Location /api/private>
        AuthType Basic
        Require valid-user
        Header unset X-Powered-By
    </Location>
    <IfModule mod_ssl.c>
        SSLEngine on
    </IfModule>
</VirtualHost>
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "httpd.conf"
    path.write_text(FILE)
    return path


def found(
    text: str, tmp_path: Path, target: str = "/", host: str = "a.example", method: str = "GET"
) -> Verdict:
    file = tmp_path / "httpd.conf"
    file.write_text(text)
    return verdict(read(file), Asked(method, "http", host, 80, target, ""))


TRAPS = [
    ("ProxyPass /a/ http://b/\nProxyPass / http://c/\n", "/a", "ProxyPass / http://c/"),
    ("ProxyPass / http://c/\nProxyPass /a http://b/a\n", "/a", "ProxyPass / http://c/"),
    ("ProxyPass /a http://b\n", "/ab", None),
    ("ProxyPass / http://c/\nRedirect /a http://b/\n", "/a", "ProxyPass / http://c/"),
    ("ProxyPass / http://c/\n<Location /a>\nRedirect /a http://b/\n</Location>\n", "/a/x", "Redirect /a http://b/"),
    ("Redirect /a http://b/\nAlias /a /srv\n", "/a", "Redirect /a http://b/"),
    ("WSGIScriptAlias / /srv/app.wsgi\nAlias /static /srv/s\n", "/static/x", "Alias /static /srv/s"),
    ("WSGIScriptAlias / /srv/app.wsgi\nWSGIScriptAlias /b /srv/b.wsgi\n", "/b", "WSGIScriptAlias / /srv/app.wsgi"),
    ("ProxyPass /a !\nProxyPass / http://c/\nAlias /a /srv\n", "/a/x", "Alias /a /srv"),
    ("RewriteEngine On\nRewriteRule ^/a /b\nProxyPass / http://c/\n", "/a", "RewriteRule ^/a /b"),
    ("RewriteEngine On\nRewriteRule ^/a /b [PT]\nProxyPass /b http://c\n", "/a", "ProxyPass /b http://c"),
    ("RewriteRule ^ - [F]\nProxyPass / http://c/\n", "/", "ProxyPass / http://c/"),
    ("RewriteEngine On\nRewriteCond %{HTTPS} off\nRewriteRule ^ https://%{HTTP_HOST}%{REQUEST_URI} [R,L]\n", "/x",
     "RewriteRule ^ https://%{HTTP_HOST}%{REQUEST_URI} [R,L]"),
    ('<FilesMatch "\\.php$">\nSetHandler "proxy:unix:/run/php.sock|fcgi://x"\n</FilesMatch>\nDocumentRoot /srv\n',
     "/a.php", "SetHandler proxy:unix:/run/php.sock|fcgi://x"),
    ("ProxyPass / http://c/\n<Location /status>\nSetHandler server-status\n</Location>\n", "/status",
     "ProxyPass / http://c/"),
    ("ProxyPass / http://c/\n<Location /b>\nProxyPass http://d\n</Location>\n", "/b/x", "ProxyPass http://d"),
    ('<Macro app $p>\nProxyPass "/" "http://127.0.0.1:$p/"\n</Macro>\nUse app 8000\n', "/",
     "ProxyPass / http://127.0.0.1:8000/"),
    ("DocumentRoot /srv\n<IfModule !core.c>\nProxyPass / http://c/\n</IfModule>\n", "/", "DocumentRoot /srv"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "target", "line"), TRAPS, ids=[f"{row[1]} {row[2]}" for row in TRAPS])
def test_traps_that_people_fall_into(text: str, target: str, line: str | None, tmp_path: Path) -> None:
    answer = found(f"<VirtualHost *:80>\n{text}</VirtualHost>\n", tmp_path, target)
    assert (answer.location.text if answer.location else None) == line, answer.location_why
    assert all(lost.why for lost in answer.locations_lost)


def test_a_rule_that_needs_the_disk_is_not_guessed(tmp_path: Path) -> None:
    text = "DocumentRoot /srv\n<Directory /srv>\nRewriteEngine On\nRewriteCond %{REQUEST_FILENAME} !-f\n"
    answer = found(f"{text}RewriteRule ^ index.php [L]\n</Directory>\n", tmp_path, "/x")
    assert answer.location is not None
    assert answer.location.name == "DocumentRoot"
    assert "depends on more than the request line" in answer.notes[0]


def test_what_rules_make_of_the_state_of_a_site_of_portico_is_no_note(tmp_path: Path) -> None:
    rules = "RewriteEngine On\nRewriteCond /run/shop/maintenance/on -f\nRewriteRule ^ - [R=503,L]\n"
    rules += "RewriteCond /srv/closed -f\nRewriteRule ^ - [R=404,L]\n"
    (tmp_path / "httpd.conf").write_text(f"Listen 80\n{rules}")
    root = read(tmp_path / "httpd.conf")
    asked = Asked("GET", "http", "localhost", 80, "/x", state="/run/shop")
    (note,) = verdict(root, asked).notes
    assert note.startswith("RewriteRule ^ - [R=404,L] (")
    (note,) = verdict(root, replace(asked, state="")).notes
    assert "[R=503,L]" in note


def test_a_rule_that_names_a_file_needs_no_document_root(tmp_path: Path) -> None:
    text = "<VirtualHost *:80>\nRewriteEngine On\nRewriteRule ^/static/(.*)$ /srv/static/$1 [L]\n</VirtualHost>\n"
    assert found(text, tmp_path, "/static/a.css").location_why == (
        "it makes /srv/static/a.css of /static/a.css, and without [PT] no other line maps it"
    )


def test_rules_of_a_folder_send_the_path_on(tmp_path: Path) -> None:
    text = "DocumentRoot /srv\nProxyPass /app http://c\n<Directory /srv>\nRewriteEngine On\n"
    answer = found(f"{text}RewriteRule ^go/(.*)$ app/$1\n</Directory>\n", tmp_path, "/go/x")
    assert answer.location is not None
    assert answer.location.text == "ProxyPass /app http://c"
    assert "sends the path /go/x on to /app/x" in answer.notes[0]


def test_everything_of_a_site_that_a_trace_asks_for(file: Path) -> None:
    root = read(file)
    asked = Asked("GET", "http", "www.shop.example", 80, "/api/private/x")
    answer = verdict(root, asked)
    assert answer.server.args == ("*:80",)
    assert answer.location is not None
    assert answer.location.text == "ProxyPass /api http://127.0.0.1:8001"
    assert [block.text for block in answer.sections] == ["Location /api/private"]
    assert [(left.condition.name, left.answer.text) for left in ends(root, asked, answer)] == [
        ("Location", "Require valid-user")
    ]
    shown = page(answer, 502)
    assert shown is not None
    assert shown.args == ("502", "/down.html")
    inner = levels(root, answer)
    assert [level.name for level in inner] == ["", "Location", "VirtualHost", ""]
    assert inner[0].first(*HTTPD.settings[Setting.UPSTREAM]) is answer.location
    assert inner[2].first("SSLEngine") is not None
    assert HTTPD.hides(root.all("VirtualHost")[0].all("Location")[0].all("Header")[0], "x-powered-by")
    assert "mod_ssl.c" in " ".join(answer.notes)
    assert HTTPD.names(answer.server) == ["shop.example", "*.shop.example"]
    assert ports(root) == [80]
    with pytest.raises(NoServerError, match="nothing listens on port 81"):
        verdict(root, Asked("GET", "http", "x", 81, "/"))


def test_what_a_virtual_host_inherits_adds_to_and_replaces(file: Path) -> None:
    root = read(file)
    host = root.all("VirtualHost")[0]
    force = {item.node.text: item.level.name for item in in_force((root, host))}
    assert force["Header set X-Everywhere yes"] == ""
    assert force["Header set X-Shop yes"] == "VirtualHost"
    assert "CustomLog /var/log/main.log common" not in force
    assert not any(text.startswith("RewriteRule") for text in force)
    assert "is added to the Header line of the main server" in notes(host.all("Header")[0], (root, host))[0]
    assert "replaces CustomLog line of the main server" in notes(host.all("CustomLog")[0], (root, host))[0]
    module = host.all("IfModule")[0]
    assert "taken as if it held" in notes(module, (root, host))[0]


@pytest.mark.parametrize(
    ("target", "path"),
    [("/a/./b/../c", "/a/c"), ("/a//b", "/a/b"), ("/%61?x=/../", "/a"), ("/a/..", "/"), ("/a/.", "/a/"), ("//", "/"),
     ("/a/%2e%2e/b", "/b"), ("/a/../", "/"), ("/", "/")],
)  # fmt: skip
def test_paths_as_httpd_compares_them(target: str, path: str) -> None:
    assert normalised(target) == path


@pytest.mark.parametrize("target", ["/..", "/a/../..", "/%zz", "/%00", "/a%2Fb"])
def test_paths_that_httpd_refuses(target: str) -> None:
    with pytest.raises(ValueError):
        normalised(target)
    assert normalised("/a%2Fb", slashes="nodecode") == "/a%2Fb"
    assert normalised("/a%2Fb", slashes="on") == "/a/b"


def test_prefixes_take_whole_parts() -> None:
    assert [matched("/a", path) for path in ("/a", "/a/b", "/ab", "//a/b", "/")] == [2, 2, None, 3, None]
    assert [matched("/a/", path) for path in ("/a", "/a/b", "/a//b")] == [None, 3, 4]
    assert fits("*.[ch]", "a.c", parts=False)
    assert not fits("/*/x", "/a/b/x", parts=True)


def test_words_are_clauses_and_have_a_page() -> None:
    said = {name: words(name) for name in MODULE_OF}
    own = [one for one in said.values() if one and "no words of its own" not in one.does]
    assert len(own) > 250
    for name, one in said.items():
        assert one is not None
        assert one.source.startswith("https://"), name
        for text in (one.default, one.does, one.without):
            assert text == text.strip(), name
            assert not text.endswith(".") or text == ".", name
    assert words("PROXYPASS") == words("ProxyPass")
    assert words("NoSuchDirective") is None


def test_every_word_is_of_a_directive_that_there_is() -> None:
    from portico.explain.httpd.words import _OWN

    assert [name for name in _OWN if name not in MODULE_OF] == []


def explained(*args: str) -> Result:
    return CliRunner().invoke(portico, ["explain", *args])


def test_a_file_of_anybodys_is_explained_line_by_line(file: Path) -> None:
    done = explained(str(file))
    assert done.exit_code == 0, done.output
    text = " ".join(done.output.split())
    assert "<VirtualHost *:80> httpd.conf:16" in text
    assert "Speaks TLS in this virtual host (default: off)" in text
    assert "replaces CustomLog line of the main server" in text
    number = 1 + next(n for n, line in enumerate(FILE.splitlines()) if "<VirtualHost" in line)
    one = json.loads(explained(f"{file}:{number}", "--json").output)
    force = {item["text"]: item["from"] for item in one["in_force"]}
    assert force["Header set X-Everywhere yes"] == "the main server"
    assert one["directives"][0]["source"].endswith("core.html#virtualhost")


def test_why_says_who_answers_and_why_the_others_do_not(file: Path) -> None:
    done = explained(str(file), "--why", "GET http://shop.example/old/x", "--json")
    answer = json.loads(done.output)
    assert answer["location"]["text"] == "ProxyPass / http://127.0.0.1:8000/"
    lost = {item["text"]: item["why"] for item in answer["other_locations"]}
    assert "is asked first" in lost["Redirect /old http://else.example/"]
    assert (
        "does not inherit it" in lost["RewriteRule ^/main$ - [F]"]
        or "RewriteEngine" in lost["RewriteRule ^/main$ - [F]"]
    )
    text = explained(str(file), "--why", "http://shop.example/static/a.css").output
    assert "Alias /static /srv/static" in text
    assert "keeps /static/a.css from being passed on" in text
    assert "<Directory /srv>" in text


def test_a_directory_is_explained_by_its_main_file(file: Path) -> None:
    assert explained(str(file.parent)).output == explained(str(file)).output


def test_each_language_knows_its_own_files(file: Path, tmp_path: Path) -> None:
    other = tmp_path / "nginx.conf"
    other.write_text(
        "events {}\nhttp {\n  server {\n    listen 80;\n    location / { proxy_pass http://a; }\n  }\n}\n"
    )
    assert language_of_file(other) is NGINX
    assert language_of_file(file) is HTTPD
    policy = tmp_path / "policy.conf"
    policy.write_text(
        "<VirtualHost *:80>\nServerName a\nHeader set CSP \"default-src 'self'; \\\nimg-src *;\"\n</VirtualHost>\n"
    )
    assert language_of_file(policy) is HTTPD
    assert len({language.name for language in LANGUAGES}) == len(LANGUAGES)


CONF = """PidFile /run/site/httpd.pid
ErrorLog "/var/lib/site/error.log"
CustomLog /var/lib/site/access.log "%h %r"
Listen 127.0.0.1:8080
Listen 8443 https
<VirtualHost *:8080>
    ServerName a.example
    Redirect /x http://b.example/ \\
        # the rest
</VirtualHost>
<VirtualHost 127.0.0.1:8443>
    ServerName a.example
    Header set A 1
    Header set B 2
</VirtualHost>
"""


def test_a_line_is_changed_added_and_dropped() -> None:
    lines = CONF.splitlines()
    made, what = HTTPD.changed(lines, Change.parse("redirect /y http://c.example/"))
    assert made[7:9] == ["    redirect /y http://c.example/", "</VirtualHost>"]
    assert what == "httpd.conf:8 Redirect /x http://b.example/ \\ changed to: redirect /y http://c.example/"
    made, what = HTTPD.changed(lines, Change.parse("Timeout 5"))
    assert (made[-2:], what) == (["    Timeout 5", "</VirtualHost>"], "added to the server: Timeout 5")
    made, _ = HTTPD.changed(lines, Change.parse("Header", "httpd.conf:14", drops=True))
    assert "    Header set B 2" not in made
    for change in ("Header set A 2", "VirtualHost *:80", "Nothing"):
        with pytest.raises(UsageError):
            HTTPD.changed(lines, Change.parse(change, drops=change == "Nothing"))
    with pytest.raises(UsageError, match="a block"):
        HTTPD.changed(lines, Change.parse("VirtualHost", "6"))


def test_a_change_may_have_braces_in_httpds_language_alone() -> None:
    lines = CONF.splitlines()
    made, _ = HTTPD.changed(lines, Change.parse('ErrorLogFormat "%{cu}t"'))
    assert '    ErrorLogFormat "%{cu}t"' in made
    with pytest.raises(UsageError, match="is not a change"):
        NGINX.changed(["server {", "}"], Change.parse("if { }"))


def test_the_second_httpd_has_ports_and_files_of_its_own(tmp_path: Path) -> None:
    taken = iter([free_port(), free_port()])
    lines, addresses = HTTPD.moved(CONF.splitlines(), str(tmp_path), lambda: next(taken))
    assert set(addresses) == {"127.0.0.1:8080", "8443"}
    text = "\n".join(lines)
    assert not re.search(r"8080|8443|/var/lib|/run/site", text)
    first = addresses["127.0.0.1:8080"].rpartition(":")[2]
    assert f"<VirtualHost *:{first}>" in text
    assert f"CustomLog {tmp_path}/access.log" in text
    (tmp_path / "conf").mkdir()
    modules = loads("mpm_event", "authz_core", "alias", "headers")
    user = "User nobody\nGroup nogroup\n" if os.geteuid() == 0 else ""
    plain = text.replace(" https", "").replace("# the rest", "")
    (tmp_path / "conf" / "httpd.conf").write_text(f"{modules}{user}ServerName x\n{plain}\n")
    argv = [*HTTPD.argv(PROGRAM, str(tmp_path)), *HTTPD.only_reads]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_the_whole_configuration_is_written_again(file: Path, tmp_path: Path) -> None:
    again = tmp_path / "again.conf"
    again.write_text("\n".join(alone(read(file))) + "\n")

    def shape(node: Node) -> list[object]:
        return [[one.name, one.args, shape(one)] for one in node.children or ()]

    assert shape(read(again)) == shape(read(file))
