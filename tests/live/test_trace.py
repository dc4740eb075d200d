"""One request walked: what `portico trace` says, beside what the app itself saw and what went over the wire."""

from __future__ import annotations

import fcntl
import json
import os
import pty
import shlex
import shutil
import signal
import socket
import struct
import sys
import termios
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.live.conftest import MIRROR, STATICS
from tests.support import Served, environment, portico, private_directory, served
from tests.support.process import DEVNULL, running
from tests.support.until import until

STEPS = """
@app.before_request
def first():
    pass

@app.after_request
def last(response):
    response.headers["X-Seen-It"] = str("X-Portico-Trace" in request.headers)
    response.headers["Keep-Alive"] = "no business of an app"
    return response

@app.get("/kept")
def kept():
    return "kept", {"Cache-Control": "public, max-age=600"}

@app.get("/told")
def told():
    return "told", {"Set-Cookie": "sid=5ec4e7-6", "X-Customer": "5ec4e7-7", "X-Token": "5ec4e7-8",
                    "Location": "/?token=5ec4e7-9"}

@app.get("/long")
def long():
    return Response((os.urandom(50_000) for _ in range(40)), mimetype="application/octet-stream")

@app.get("/large")
def large():
    return "large", {"X-Large": "x" * 100_000}

@app.get("/page")
def page():
    from flask import render_template_string
    return render_template_string("<p>" + "hello " * 500)
"""
_ASIDE = ("asks its cache", "counts")
APP = MIRROR.replace("@sock.route", STEPS + "\n@sock.route")
TOML = """
request_timeout = "4s"
max_upload = "64KiB"
workers = 1
trace = ["X-Customer"]
[nginx]
server = ["location = /ping { return 204; }"]
[routes."/die"]
timeout = "60s"  # the second try waits for a worker that imports the app
"""

WITNESSED = {
    "method": "REQUEST_METHOD", "Host": "HTTP_HOST", "client address": "REMOTE_ADDR", "PATH_INFO": "PATH_INFO",
    "query": "QUERY_STRING", "body size": "CONTENT_LENGTH", "X-Forwarded-For": "HTTP_X_FORWARDED_FOR",
    "X-Forwarded-Proto": "HTTP_X_FORWARDED_PROTO", "X-Forwarded-Host": "HTTP_X_FORWARDED_HOST", "X-Mine": "HTTP_X_MINE",
    "scheme": "wsgi.url_scheme",
}  # fmt: skip


@pytest.fixture(scope="module", params=["embedded", "system"])
def site(request: pytest.FixtureRequest, _needs_nginx: None) -> Iterator[Served]:
    with served({"app.py": APP, "portico.toml": TOML, **STATICS}, "--nginx", request.param) as run:
        yield run


def traced(run: Served, *words: str) -> dict[str, Any]:
    done = portico("trace", "--json", *words, cwd=run.directory)
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    times = [row["at_us"] for row in found["rows"] if row["at_us"] is not None and row["actor"] != "worker"]
    assert times == sorted(times) or found["status"] == 101, found["rows"]  # after_request, after a WebSocket
    assert [row["number"] for row in found["rows"]] == list(range(1, len(found["rows"]) + 1))
    return found


def actions(found: dict[str, Any], actor: str) -> list[str]:
    return [row["action"] for row in found["rows"] if row["actor"] == actor]


def there(found: dict[str, Any], name: str) -> tuple[Any, Any, Any]:
    (one,) = [one for one in found["request"] if one["name"] == name]
    return one["client"], one["gateway"], one["app"]


def back(found: dict[str, Any], name: str) -> tuple[Any, Any, Any]:
    (one,) = [one for one in found["response"] if one["name"].lower() == name.lower()]
    return one["app"], one["worker"], one["client"]


def sentences(found: dict[str, Any]) -> str:
    return "\n".join(moment["text"] for moment in found["moments"])


def name_of(run: Served) -> str:
    """The gateway's, as a trace has it."""
    return "apache" if run.is_apache else "nginx"


def line_at(run: Served, row: dict[str, Any]) -> str:
    """The line of the configuration that a row names."""
    file, _, number = row["place"].rpartition(":")
    return Path(file).read_text().splitlines()[int(number) - 1].strip()


def test_a_page_of_the_app_from_end_to_end(site: Served) -> None:
    headers = (
        "-H",
        "X-Forwarded-For: 6.6.6.6",
        "-H",
        "X_Odd: 1",
        "-H",
        "X-Customer: 4711",
        "-H",
        "Cookie: a=secret",
    )
    found = traced(site, "/page?x=1&token=abc", *headers)
    assert (found["status"], len(found["id"])) == (200, 32)
    at_gateway = [row for row in found["rows"] if row["actor"] == "gateway" and row["place"]]
    lines = [line_at(site, row) for row in at_gateway if not row["action"].startswith(_ASIDE)][:3]
    wanted = ["server {", "location / {", "uwsgi_pass portico_app;"]
    if site.is_apache:
        passes = 'ProxyPassMatch ^(/.*)$ "balancer://${PORTICO_DOLLAR}{PORTICO_TO}$1" interpolate'
        wanted = [f"<VirtualHost 127.0.0.1:{site.port}>", passes, passes]
    assert lines == wanted
    assert actions(found, "app")[:4] == [
        "before_request first",
        "view page",
        "template",
        "after_request last",
    ]
    assert actions(found, "app")[4].startswith("start_response(200 OK)")
    assert {
        row["place"].rpartition("/")[2].split(":")[0] for row in found["rows"] if "view" in row["action"]
    } == {"app.py"}
    assert there(found, "X-Forwarded-For") == ("6.6.6.6", "127.0.0.1", "127.0.0.1")
    assert there(found, "X_Odd") == ("1", None, None)
    assert there(found, "X-Customer") == ("(masked, 4 bytes)",) * 3
    assert there(found, "Cookie") == ("(masked, 8 bytes)",) * 3
    assert there(found, "query") == ("x=1&token=(masked, 3 bytes)",) * 3
    assert there(found, "X-Request-ID") == (None, found["id"], found["id"])
    assert back(found, "content-encoding") == (None, None, "gzip")
    assert back(found, "keep-alive")[0] is not None
    assert back(found, "keep-alive")[1:] == (None, None)
    assert back(found, "x-seen-it") == ("False",) * 3  # the app is never shown it
    assert f"{name_of(site)} compressed it" in sentences(found)
    assert "X_Odd: its name has an underscore" in sentences(found)
    assert "secret" not in json.dumps(found).replace("secret_key", "")
    bars = {bar["name"]: bar["ends_us"] - bar["begins_us"] for bar in found["waterfall"]}
    assert bars["view page"] <= bars["app"]
    assert found["line"]["endpoint"] == "page"


def test_the_tracker_says_what_the_app_says(site: Served) -> None:
    """The mirror answers with its environ, an independent witness."""
    found = traced(site, "/a%2Fb//c?q=1", "-X", "PUT", "-d", "x" * 70, "-H", "X-Mine: yes")
    answer = portico("trace", "/a%2Fb//c?q=1", cwd=site.directory)
    assert answer.returncode == 0, answer.stderr
    mirror = site.client.put(site.url + "/a%2Fb//c?q=1", content=b"x" * 70, headers={"X-Mine": "yes"}).json()
    environ = mirror["environ"]
    for name, key in WITNESSED.items():
        assert there(found, name)[2] == environ[key], name
    assert there(found, "path as sent")[2] == environ["REQUEST_URI"].partition("?")[0] == "/a%2Fb//c"


def test_a_static_file_wakes_no_worker(site: Served) -> None:
    found = traced(site, "/static/app.css")
    assert found["status"] == 200
    assert actions(found, "worker") == actions(found, "app") == []
    assert "sends the file below" in "\n".join(actions(found, "gateway"))
    chosen, refusing = "chooses location ^~ /static/", "chooses location ~* "
    if site.is_apache:
        chosen, refusing = "chooses RewriteRule ^/static/(.*)$ ", "chooses RewriteRule ^/static/(?:(?:.*/)?"
    assert any(action.startswith(chosen) for action in actions(found, "gateway"))
    assert "the app was not asked" in sentences(found)
    refused = traced(site, "/static/.env")
    assert refused["status"] == 404
    assert any(row["action"].startswith(refusing) for row in refused["rows"])


@pytest.mark.of_nginx  # httpd keeps no answers
def test_a_cached_page_wakes_no_worker(site: Served) -> None:
    target = f"/kept?{time.monotonic_ns()}"
    first, second = traced(site, target), traced(site, target)
    assert "asks its cache: MISS" in actions(first, "gateway")
    assert "Not from the cache (MISS)" in sentences(first)
    assert "asks its cache: HIT" in actions(second, "gateway")
    assert "answers from its cache" in actions(second, "gateway")
    assert "nginx answered from its cache; the app was not asked" in sentences(second)
    assert actions(second, "worker") == []


def test_a_redirect_is_told_and_not_followed(site: Served) -> None:
    found = traced(site, "/redirect")
    assert found["status"] == 302
    assert back(found, "Location")[2] == "/there"
    assert "It redirects to /there" in sentences(found)


def test_a_stream_of_events(site: Served) -> None:
    tries = list[dict[str, Any]]()

    def came_one_by_one() -> bool:
        """A client that gets no processor for half a second hears two at once."""
        tries.append(traced(site, "/events"))
        return "passed on unbuffered: 3 pieces" in sentences(tries[-1])

    until(came_one_by_one, lambda: sentences(tries[-1]))
    found = tries[-1]
    assert found["status"] == 200
    # httpd passes it on: a proxy in front of it that holds answers back is to let this one through
    assert back(found, "X-Accel-Buffering")[1:] == ("no", "no" if site.is_apache else None)
    (sends,) = [row for row in found["rows"] if row["action"] == f"sends head and body to {name_of(site)}"]
    assert sends["took_us"] > 1_000_000


@pytest.mark.of_nginx  # httpd's uwsgi module carries no WebSockets
def test_a_websocket(site: Served) -> None:
    found = traced(site, f"ws://127.0.0.1:{site.port}/echo")
    assert found["status"] == 101
    assert "goes on in @portico_upgraded" in actions(found, "gateway")
    assert "The connection was upgraded" in sentences(found)


def test_a_body_that_is_too_large(site: Served) -> None:
    (site.directory / "big").write_bytes(b"x" * 70_000)
    found = traced(site, "/", "-d", f"@{site.directory}/big")
    assert (found["status"], found["method"]) == (413, "POST")
    (row,) = [row for row in found["rows"] if row["action"].startswith("refuses the body")]
    limit = "LimitRequestBody 65536" if site.is_apache else "client_max_body_size 65536;"
    assert line_at(site, row) == limit
    assert actions(found, "worker") == []
    assert site.is_apache or "too large body" in found["complaints"][0]  # httpd says nothing of it
    near = traced(site, "/", "-d", "x" * 40_000)
    assert "The body took 61 % of the allowed size." in sentences(near)


def test_an_app_that_takes_too_long(site: Served) -> None:
    found = traced(site, "/slow?seconds=7")
    assert found["status"] == 504
    assert "no answer came in time" in [row["note"] for row in found["rows"]]
    assert "has not answered yet" in actions(found, "app")
    assert there(found, "PATH_INFO")[2] == "/slow"
    assert f"{name_of(site)} gave up waiting" in sentences(found)
    (moment,) = [moment for moment in found["moments"] if "gave up waiting" in moment["text"]]
    assert site.is_apache or moment["see"] == "portico explain 'uwsgi_read_timeout 4s'"
    line = "timeout=4" if site.is_apache else "uwsgi_read_timeout 4s;"
    words = shlex.split(moment["see"])[1:]
    assert line in portico(*words, *gateway_words(site), cwd=site.directory).stdout


def test_a_failing_view(site: Served) -> None:
    found = traced(site, "/fail")
    assert found["status"] == 500
    assert "The app failed: RuntimeError: a view that fails." in sentences(found)
    assert "Traceback" in found["app"][0]


def test_a_worker_that_dies_is_tried_again(site: Served) -> None:
    found = traced(site, "/die")
    assert "No worker took the request, or the one that did died" in sentences(found)
    if site.is_apache:  # asks no second worker
        assert found["status"] == 500
    else:
        assert found["status"] == 502
        assert found["line"]["retries"] == 1
        assert "tried 2 times" in sentences(found)
    until(lambda: site.get("/").status_code == 200)


@pytest.mark.of_nginx  # its own directives
def test_what_nginx_says_by_itself(site: Served) -> None:
    found = traced(site, "/ping")
    assert found["status"] == 204
    assert "answers by itself: return 204" in actions(found, "gateway")


def test_a_closed_site(site: Served) -> None:
    assert portico("maintenance", "on", cwd=site.directory).returncode == 0
    try:
        found = traced(site, "/")
    finally:
        portico("maintenance", "off", cwd=site.directory)
    assert found["status"] == 503
    way = "answers with the page of portico maintenance" if site.is_apache else "goes on in @portico_closed"
    assert way in actions(found, "gateway")
    assert "portico maintenance off" in sentences(found)


def test_nobody_there_and_bad_words(site: Served) -> None:
    found = traced(site, "http://127.0.0.1:1/")
    assert found["error"] == "Connection refused"
    for words in (("ftp://x/",), ("/", "-H", "nonsense"), ("/", "-d", "@/nowhere"), ("/", "--connect", "x")):
        assert portico("trace", *words, cwd=site.directory).returncode == 2, words


def test_a_stranger_cannot_have_a_request_traced(site: Served) -> None:
    parent = site.runtime / "trace"
    before = set(parent.iterdir()) if parent.exists() else set()  # of a command that was killed
    for token in ("0" * 32, "../../etc", "x", ""):
        answer = site.get("/", headers={"X-Portico-Trace": token})
        assert answer.status_code == 200
        assert "HTTP_X_PORTICO_TRACE" not in answer.json()["environ"]
    assert not parent.exists() or (set(parent.iterdir()) == before and parent.stat().st_mode & 0o077 == 0)


SECRET = "5ec4e7-"


@pytest.mark.parametrize(
    "words",
    [
        (f"/told?token={SECRET}1&next=/x?session={SECRET}2",),
        (f"/static/app.css?api_key={SECRET}3",),
        (f"/?password={SECRET}4", "-d", "x" * 70_000),
    ],
    ids=["app", "file", "413"],
)
def test_no_secret_is_shown_or_kept(site: Served, words: tuple[str, ...]) -> None:
    """Not what the client sent where no worker masked it, not in URLs, not on the way back."""
    names = ("Cookie", "Authorization", "X-Api-Key", "X-Customer")
    headers = [word for name in names for word in ("-H", f"{name}: {SECRET}{name}")]
    headers += ["-H", f"Referer: http://x/?csrf={SECRET}5"]
    found = traced(site, *words, *headers)
    assert SECRET not in json.dumps(found)
    assert SECRET not in (site.state / "traces" / f"{found['id']}.json").read_text()
    assert SECRET not in portico("trace", *words, *headers, cwd=site.directory).stdout
    assert there(found, "X-Customer")[0] == f"(masked, {len(SECRET) + 10} bytes)"
    if words[0].startswith("/told"):
        for name in ("Set-Cookie", "X-Customer", "X-Token", "Location"):
            assert "(masked, " in back(found, name)[2], name


def test_a_long_body_of_unknown_length_is_whole(site: Served) -> None:
    found = traced(site, "/long")
    assert "cut short" not in sentences(found)
    assert found["status"] == 200
    assert any("bytes of body" in action and "cut" not in action for action in actions(found, "client"))


def test_a_head_that_is_too_large(site: Served) -> None:
    found = traced(site, "/large")
    assert found["status"] == 500
    assert "bytes of headers, the limit is 65536" in sentences(found)
    assert "did not pass on" not in sentences(found)
    asked = traced(site, "/", "-H", f"X-Long: {'x' * 9000}")
    assert asked["status"] == (400 if site.is_apache else 431)
    assert "refuses to read the request" in actions(asked, "gateway")
    assert not any(
        action.startswith(("chooses location", "chooses Pr")) for action in actions(asked, "gateway")
    )


def test_who_does_not_speak_http(site: Served) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def answer() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.recv(4096)
                connection.sendall(b"SSH-2.0-x\r\n\r\n")

        thread = threading.Thread(target=answer)
        thread.start()
        found = traced(site, f"http://127.0.0.1:{listener.getsockname()[1]}/")
        thread.join()
    assert (found["status"], found["error"]) == (0, "the server there does not speak HTTP")
    plain = traced(site, f"https://127.0.0.1:{site.port}/")
    assert "speaks of TLS" in actions(plain, "client")


@pytest.mark.of_nginx  # httpd keeps no answers
def test_a_page_that_is_kept_from_now_on_says_so(site: Served) -> None:
    found = traced(site, f"/kept?{time.monotonic_ns()}")
    assert "so nginx stores it now" in sentences(found)


@pytest.mark.parametrize("width", [72, 100, 150])
def test_it_fits_the_terminal(site: Served, width: int) -> None:
    shown = on_terminal(site, width, "trace", "/told", "-H", "X-A-Header-With-A-Name-That-Is-Longer: 1")
    assert max(len(line) for line in shown if "portico explain" not in line and "unix:" not in line) <= width
    whole = [line for line in shown if "X-A-Header-With-A-Name-That-Is-Longer" in line]
    assert len(whole) == (0 if width == 100 else 1), shown


def on_terminal(run: Served, width: int, *words: str) -> list[str]:
    """The lines a command writes to a terminal of so many columns."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 40, width, 0, 0))
    command = [sys.executable, "-m", "portico", *words]
    env = environment(run.directory) | {"NO_COLOR": "1", "COLUMNS": ""}
    with running(command, cwd=run.directory, env=env, stdin=theirs, stdout=theirs) as process:
        os.close(theirs)
        text = b""
        with suppress(OSError):  # the end of a terminal
            while piece := os.read(ours, 65536):
                text += piece
        os.close(ours)
        assert process.wait(60) == 0
    return text.decode().splitlines()


def test_a_person_reads_it(site: Served) -> None:
    done = portico("trace", "/page", "--repeat", "3", cwd=site.directory)
    assert done.returncode == 0, done.stderr
    for words in (
        "before_request first",
        "What changed on the way",
        "Where the time went",
        "Worth knowing",
        "3 times: ",
    ):
        assert words in done.stdout
    kept = list((site.state / "traces").glob("*.json"))
    assert 0 < len(kept) <= 50


def gateway(run: Served) -> set[int]:
    """The gateway's main process and workers; nginx's cache loader leaves by itself after a minute."""
    words = ("httpd.conf",) if run.is_apache else ("nginx: master", "nginx: worker")
    return {process.pid for process in run.called(*words)}


def gateway_words(run: Served) -> tuple[str, ...]:
    """Those by which `portico explain` reads the files of a site that says nothing of its gateway itself."""
    return ("--gateway", "apache") if run.is_apache else ()


def what_if(run: Served, *words: str) -> dict[str, tuple[str, str]]:
    done = portico("what-if", "--json", *words, cwd=run.directory)
    assert done.returncode == 0, done.stderr
    return {one["what"]: (one["before"], one["after"]) for one in json.loads(done.stdout)["differences"]}


def test_what_if_a_step_were_not_taken(site: Served) -> None:
    before = gateway(site)
    assert len(before) > 1
    found = what_if(site, "compression", "/page", "--drop")
    assert found["header Content-Encoding"] == ("gzip", "-")
    assert "answer" not in found
    limit = "LimitRequestBody 10" if site.is_apache else "client_max_body_size 10"
    refused = what_if(site, limit, "/", "-d", "x" * 20)
    assert refused["answer"] == ("200", "413")
    # httpd looks at this limit while it passes the body on; Portico's own rules are before that
    assert site.is_apache or refused["the app"] == ("answers", "is not asked")
    assert site.get("/page", headers={"Accept-Encoding": "gzip"}).headers["Content-Encoding"] == "gzip"
    assert gateway(site) == before  # the running site was left alone
    wrong = portico("what-if", "nonsense on", cwd=site.directory)
    assert wrong.returncode == 1
    unknown = "Invalid command 'nonsense'" if site.is_apache else 'unknown directive "nonsense"'
    assert unknown in wrong.stderr
    many = portico("what-if", "Header set X a" if site.is_apache else "return 200", cwd=site.directory)
    assert many.returncode == 2
    assert "choose one with --at" in many.stderr
    deaf = portico("what-if", "Listen" if site.is_apache else "http", "--drop", cwd=site.directory)
    assert deaf.returncode == 2
    assert "nothing would listen any more" in deaf.stderr


@pytest.mark.of_nginx  # its directives
def test_what_if_a_line_were_another(site: Served) -> None:
    found = what_if(site, "gzip off", "/page")
    assert found["header Content-Encoding"] == ("gzip", "-")
    assert what_if(site, "gzip", "/page", "--drop") == found
    assert what_if(site, "compression", "/page", "--drop") == found
    assert what_if(site, "gzip_comp_level 5", "/page") == {}
    assert what_if(site, "add_header X-Level here", "/page")["header X-Level"] == ("-", "here")
    file = what_if(site, "static", "/static/app.css", "--drop")
    assert file["the app"] == ("is not asked", "answers")
    none = portico("what-if", "static", "/page", "--drop", cwd=site.directory)
    assert (none.returncode, "this request takes no step static" in none.stderr) == (2, True)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGKILL])
def test_an_ended_what_if_leaves_no_gateway(site: Served, number: signal.Signals) -> None:
    before = gateway(site)
    change = "TraceEnable Off" if site.is_apache else "gzip off"
    command = [sys.executable, "-m", "portico", "what-if", change, "/slow?seconds=3"]
    (site.directory / "slow.begun").unlink(missing_ok=True)
    with private_directory() as home:
        env = environment(site.directory) | {"TMPDIR": str(home)}
        with running(command, cwd=site.directory, env=env, stdout=DEVNULL, stderr=DEVNULL) as process:
            until((site.directory / "slow.begun").exists)
            (made,) = home.iterdir()
            own, copy = site.runtime.stat(), made.stat()
            assert (copy.st_mode, copy.st_gid) == (
                own.st_mode,
                own.st_gid,
            )  # its files and logs are no more open
            process.send_signal(number)
            assert process.wait(30) == (-number if number == signal.SIGKILL else 128 + number)
        until(lambda: not processes_of(str(home)))
        assert number == signal.SIGKILL or not list(home.iterdir())
    assert gateway(site) == before


def processes_of(word: str) -> list[psutil.Process]:
    """Those whose command names it."""
    found = []
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            found += [process] * any(word in one for one in process.cmdline())
    return found


def whole(run: Served, url: str, *, by_app: bool) -> dict[str, Any]:
    """With the gateway's line and the worker's record: a busy machine may write them later than a trace waits."""
    found = list[dict[str, Any]]()

    def is_whole() -> bool:
        found.append(traced(run, url, "--connect", f"127.0.0.1:{run.port}"))
        return bool(found[-1]["line"] and (actions(found[-1], "app") or not by_app))

    until(is_whole, lambda: found[-1])
    return found[-1]


def test_a_mounted_app() -> None:
    toml = TOML.replace('request_timeout = "4s"', 'request_timeout = "60s"')  # its first request is traced
    with served({"app.py": APP, "portico.toml": toml}, "--mount", "/shop", "--domain", "shop.example") as run:
        found = whole(run, "http://shop.example/shop/page", by_app=True)
        assert found["status"] == 200
        # httpd's uwsgi module fixes an empty one: Portico's worker has the prefix from Portico
        assert there(found, "SCRIPT_NAME") == (None, "" if run.is_apache else "/shop", "/shop")
        assert there(found, "PATH_INFO") == ("/shop/page", "/shop/page", "/page")
        assert "The prefix /shop became SCRIPT_NAME" in sentences(found)
        bare = whole(run, "http://shop.example/shop", by_app=False)
        assert (bare["status"], back(bare, "Location")[2].removeprefix("http://shop.example")) == (
            308,
            "/shop/",
        )
        stranger = whole(run, "http://elsewhere.example/", by_app=False)
        if run.is_apache:
            assert stranger["status"] == 421
            return
        assert (stranger["status"], stranger["error"]) == (0, "the connection was closed without an answer")
        assert "answers by itself: return 444" in actions(stranger, "gateway")


@pytest.mark.of_nginx  # httpd counts no requests
def test_a_limited_client() -> None:
    toml = TOML + '[limits]\nrate = "1/minute burst 1"\n'
    with served({"app.py": APP, "portico.toml": toml}) as run:
        found = [traced(run, "/page") for _ in range(3)][-1]
        assert found["status"] == 429
        assert any(action.endswith(": refused") for action in actions(found, "gateway"))
        assert "Refused by a limit" in sentences(found)


def test_an_app_that_is_down() -> None:
    with served({"app.py": APP, "portico.toml": TOML}) as run:
        servers = run.called("gunicorn")
        for process in servers:
            process.send_signal(signal.SIGSTOP)
        # Without the links of the live release httpd answers 502 by itself.
        for pattern in ["app*.sock"] if run.is_apache else ["app*.sock", "*.live"]:
            for path in run.runtime.glob(pattern):
                path.unlink()
        try:
            found = traced(run, "/page")
        finally:
            for process in servers:
                process.send_signal(signal.SIGCONT)
        assert found["status"] == (503 if run.is_apache else 502)
        where = "uwsgi://app" if run.is_apache else "unix:"
        assert any(action.startswith(f"cannot connect to {where}") for action in actions(found, "gateway"))
        assert "No worker took the request" in sentences(found)


def test_what_went_over_the_wire(site: Served, tmp_path: Path) -> None:
    """tshark, another witness: the same request line, Host and statuses, in that order, within the times told."""
    if os.geteuid() != 0:
        pytest.skip("only root may listen on the loopback interface")
    assert shutil.which("tshark"), "tshark is missing: run the tests with `make test`, which installs it"
    argv = [
        "tshark", "-l", "-i", "lo", "-f", f"tcp port {site.port}", "-d", f"tcp.port=={site.port},http", "-Y", "http",
        "-o", "http.desegment_body:FALSE", "-T", "fields",
        "-e", "frame.time_epoch", "-e", "http.request.method", "-e", "http.request.uri",
        "-e", "http.host", "-e", "http.response.code", "-e", "http.user_agent",
    ]  # fmt: skip
    out = tmp_path / "packets"
    with running(argv, stdout=out, stderr=DEVNULL):
        until_seen(out, lambda: site.get("/ping"), 1)
        targets = ["/page", "/static/app.css", "/redirect", "/nothing", "/kept", "/kept", "/ping"]
        traces = [traced(site, target) for target in targets]
        until_seen(out, lambda: None, len(targets), answers)
    seen = packets(out)
    at = -1
    for found, target in zip(traces, targets, strict=True):
        at = next(
            n for n in range(at + 1, len(seen)) if seen[n][2] == target and seen[n][5] == "portico-trace"
        )
        asked, answered = seen[at], next(packet for packet in seen[at:] if packet[4])
        assert (asked[1], asked[3]) == (found["method"], there(found, "Host")[0])
        assert int(answered[4]) == found["status"]
        outside = [
            row for row in found["rows"] if row["actor"] in ("client", "gateway") and row["at_us"] is not None
        ]
        rows = {row["action"].split(" ")[0]: row["at_us"] for row in outside}
        on_the_wire = (float(answered[0]) - float(asked[0])) * 1e6
        told = rows["answers"] - rows["sends"]
        # The client began before its packet was on the wire, and heard of the answer after that was.
        assert on_the_wire <= told + 1000, (target, found["rows"])


def packets(path: Path) -> list[list[str]]:
    return [[*line.split("\t"), *[""] * 6][:6] for line in path.read_text().splitlines()]


def answers(path: Path) -> list[list[str]]:
    """Those to the traces: tshark may still be busy with what came before."""
    seen = packets(path)
    first = next((n for n, packet in enumerate(seen) if packet[5] == "portico-trace"), len(seen))
    return [packet for packet in seen[first:] if packet[4]]


def until_seen(path: Path, provoke: Any, count: int, what: Any = packets) -> None:
    give_up = time.monotonic() + 60
    while len(what(path)) < count:
        assert time.monotonic() < give_up, "tshark saw nothing"
        provoke()
        time.sleep(0.2)


@pytest.fixture(scope="module")
def over_apache(_needs_nginx: None) -> Iterator[Served]:
    app = "from flask import Flask\napp = Flask(__name__)\n@app.get('/')\ndef index():\n    return 'hello ' * 1000\n"
    with served({"app.py": app}, "--gateway", "apache") as run:
        yield run


def test_over_apache_the_rules_of_portico_are_not_worth_knowing_and_the_line_that_compresses_is_named(
    over_apache: Served,
) -> None:
    found = traced(over_apache, "/", "-H", "Accept-Encoding: gzip")
    assert "RewriteRule" not in sentences(found)
    (moment,) = [moment for moment in found["moments"] if "compressed it" in moment["text"]]
    words = [*shlex.split(moment["see"])[1:], "--gateway", "apache"]
    assert words[1].startswith("FilterChain "), words
    assert "FilterChain" in portico(*words, cwd=over_apache.directory).stdout


def test_over_apache_a_purge_says_that_nothing_is_cached(over_apache: Served) -> None:
    done = portico("purge", "/*", cwd=over_apache.directory)
    assert done.stdout.startswith("nothing was deleted, because nothing is cached: with Apache httpd, "), done
    said = json.loads(portico("purge", "/*", "--json", cwd=over_apache.directory).stdout)
    assert (said["purged"], "nginx does" in said["no_cache"]) == (0, True)
