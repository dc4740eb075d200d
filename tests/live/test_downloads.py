"""What the app sends as a file is carried by nginx, byte for byte as the app would have sent it, and nothing else."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from tests.support import Served, portico, private_directory, served
from tests.support.until import until

pytestmark = pytest.mark.of_nginx  # httpd sends no files for the app

APP = """
import io, os, tempfile
import werkzeug.utils
from flask import Flask, Response, after_this_request, request, send_file, send_from_directory, session
from portico import edge

app = Flask(__name__)
app.secret_key = "the same"

@app.get("/file/<path:name>")
def one(name):
    return send_from_directory(app.instance_path, name)

@app.get("/as/<path:name>")
def attached(name):
    session["seen"] = name
    answer = send_file(os.path.join(app.instance_path, name), as_attachment=True, download_name="größe.txt",
                       mimetype="text/csv", max_age=77, etag="mine")
    answer.headers["Content-Security-Policy"] = "default-src 'none'"
    return answer

@app.get("/unknown-header")
def unknown_header():
    answer = send_from_directory(app.instance_path, "big.bin")
    answer.headers["X-Own"] = "kept"
    return answer

@app.get("/private")
@edge.private
def private():
    answer = send_from_directory(app.instance_path, "big.bin")
    answer.headers.pop("Cache-Control", None)
    return answer

@app.get("/elsewhere")
def elsewhere():
    return send_file(os.path.join(app.root_path, "elsewhere.bin"))

@app.get("/link")
def link():
    return send_file(os.path.join(app.instance_path, "out.bin"))

@app.get("/werkzeug")
def by_werkzeug():
    return werkzeug.utils.send_file(request.args["path"], request.environ, use_x_sendfile=True, conditional=True)

@app.get("/memory")
def memory():
    return send_file(io.BytesIO(b"m" * 300_000), mimetype="application/x-memory")

@app.get("/unlinked")
def unlinked():
    made = tempfile.NamedTemporaryFile(dir=app.instance_path)
    made.write(b"u" * 300_000)
    made.seek(0)
    return send_file(made, mimetype="application/x-temporary")

@app.get("/removed")
def removed():
    path = os.path.join(app.instance_path, "once.bin")
    with open(path, "wb") as file:
        file.write(b"o" * 300_000)

    @after_this_request
    def remove(answer):
        os.remove(path)
        return answer

    return send_file(path)

def plain(inner):
    "What a framework without ranges does."
    def answer(environ, start):
        if environ["PATH_INFO"] not in ("/plain", "/seeked"):
            return inner(environ, start)
        file = open(os.path.join(app.instance_path, "big.bin"), "rb")
        file.seek(1000 if environ["PATH_INFO"] == "/seeked" else 0)
        start("200 OK", [("Content-Type", "application/x-plain")])
        return environ["wsgi.file_wrapper"](file)
    return answer

app.wsgi_app = plain(app.wsgi_app)

@app.get("/sendfile")
def by_name():
    return Response(headers={"X-Sendfile": request.args["path"], "Content-Type": "application/x-named"})

@app.get("/named")
def named():
    return send_file(os.path.join(app.instance_path, "big.bin"), as_attachment=True,
                     download_name=request.args["name"], mimetype="text/plain")

@app.get("/reflected")
def reflected():
    answer = send_from_directory(app.instance_path, "big.bin", mimetype="text/plain")
    answer.headers["Content-Language"] = request.args["value"]
    return answer

@app.get("/accel")
def accel():
    return Response(headers={"X-Accel-Redirect": request.args["to"]})
"""
SIZE = 300_007
BIG = bytes(range(251)) * (SIZE // 251) + b"e" * (SIZE % 251)
ODD = "ünï #?%2e;+ &x.bin"
TOML = """
[nginx]
http = ["log_format where '$request_uri $uri';", "access_log {directory}/where.log where;"]
"""


@pytest.fixture(scope="module", params=["embedded", "system"])
def run(
    request: pytest.FixtureRequest, _needs_nginx: None, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Served]:
    with private_directory() as home:
        (home / "instance/sub").mkdir(parents=True)
        for name in ("instance/big.bin", f"instance/sub/{ODD}", "elsewhere.bin", "instance/secret.bin"):
            (home / name).write_bytes(BIG)
        (home / "instance/table.csv").write_bytes(b"a,b,c\n" * 50_000)
        (home / "instance/out.bin").symlink_to("../elsewhere.bin")
        (home / "instance/secret.bin").chmod(0o600)
        files = {"app.py": APP, "portico.toml": TOML.format(directory=home), "static/a.css": "a"}
        with served(files, "--nginx", request.param, directory=home) as made:
            yield made


def by_nginx(run: Served, path: str) -> bool:
    """Whether nginx sent the last answer to this path from one of its download locations."""
    give_up = time.monotonic() + 90
    while time.monotonic() < give_up:
        log = run.directory / "where.log"
        found = (
            [line for line in log.read_text().splitlines() if line.startswith(path + " ")]
            if log.exists()
            else []
        )
        if found:
            return "/-/download/" in found[-1]
        time.sleep(0.02)
    raise AssertionError(f"{path} is not in the log")


def test_a_file_is_sent_by_nginx_as_the_app_says(run: Served) -> None:
    answer = run.get("/as/big.bin", headers={"Accept-Encoding": "identity"})
    assert answer.content == BIG
    assert by_nginx(run, "/as/big.bin")
    head = answer.headers
    assert head["Content-Type"] == "text/csv; charset=utf-8"
    assert head["Content-Length"] == str(SIZE)
    assert "filename*=UTF-8''gr%C3%B6%C3%9Fe.txt" in head["Content-Disposition"]
    assert "max-age=77" in head["Cache-Control"]
    assert head["ETag"] == '"mine"'
    assert head["Content-Security-Policy"] == "default-src 'none'"
    assert head["Set-Cookie"].startswith("session=")
    assert "Cookie" in head["Vary"]
    assert head["X-Request-ID"]
    assert head.get_list("Accept-Ranges") == ["bytes"]
    assert "X-Accel-Redirect" not in head
    assert "X-Portico" not in head


@pytest.mark.parametrize(
    ("asked", "first", "stop"),
    [("bytes=0-0", 0, 1), ("bytes=5-99999", 5, 100_000), ("bytes=70000-", 70_000, SIZE),
     ("bytes=-70001", SIZE - 70_001, SIZE),
     ("bytes=100000-999999999", 100_000, SIZE)],
)  # fmt: skip
@pytest.mark.parametrize("path", ["/file/big.bin", "/plain", "/as/big.bin", "/elsewhere"])
def test_ranges_are_exact(run: Served, path: str, asked: str, first: int, stop: int) -> None:
    answer = run.get(path, headers={"Range": asked, "Accept-Encoding": "gzip"})
    assert answer.status_code == 206
    assert answer.headers["Content-Range"] == f"bytes {first}-{stop - 1}/{SIZE}"
    assert answer.content == BIG[first:stop]


@pytest.mark.parametrize("path", ["/file/big.bin", "/as/big.bin"])
def test_conditions_are_the_app_s(run: Served, path: str) -> None:
    # A compressed answer has a weak ETag, with which neither a range nor If-Match can be asked for.
    first = run.get(path, headers={"Accept-Encoding": "identity"})
    tag, date = first.headers["ETag"], first.headers["Last-Modified"]

    def status(**headers: str) -> int:
        return run.get(
            path, headers={name.replace("_", "-"): value for name, value in headers.items()}
        ).status_code

    assert status(If_None_Match=tag) == 304
    assert status(If_None_Match='"other"') == 200
    assert status(If_Modified_Since=date) == 304
    assert status(If_Match=tag) == 200
    part = {"Range": "bytes=100-99999"}
    assert status(If_Range=tag, **part) == 206
    assert status(If_Range=date, **part) == 206
    assert status(If_Range='"other"', **part) == 200
    assert status(If_Range="Thu, 01 Dec 1994 16:00:00 GMT", **part) == 200
    assert status(Range="bytes=999999999-") == 416
    whole = run.get(path, headers={"If-Range": '"other"', **part})
    assert whole.content == BIG


def test_head_is_the_head_of_get(run: Served) -> None:
    got, head = run.get("/file/big.bin"), run.client.head(run.url + "/file/big.bin")
    for name in ("Content-Length", "Content-Type", "ETag", "Last-Modified", "Cache-Control"):
        assert head.headers[name] == got.headers[name], name


def test_any_name_is_found(run: Served) -> None:
    path = "/file/sub/" + quote(ODD)
    assert run.get(path).content == BIG
    assert by_nginx(run, path)


@pytest.mark.parametrize("path", ["/elsewhere", "/link", "/unknown-header", "/file/secret.bin"])
def test_what_nginx_may_not_send_is_sent_by_the_worker(run: Served, path: str) -> None:
    answer = run.get(path)
    assert answer.content == BIG
    # Only as root nginx has a user of its own, whom the mode keeps out.
    assert by_nginx(run, path) == (path == "/file/secret.bin" and os.geteuid() != 0)
    if path == "/unknown-header":
        assert answer.headers["X-Own"] == "kept"


@pytest.mark.parametrize(("path", "byte"), [("/memory", b"m"), ("/unlinked", b"u"), ("/removed", b"o")])
def test_what_has_no_name_is_sent_by_the_worker(run: Served, path: str, byte: bytes) -> None:
    assert run.get(path).content == byte * 300_000
    assert not by_nginx(run, path)


def test_a_file_from_its_middle(run: Served) -> None:
    assert run.get("/seeked").content == BIG[1000:]


def test_text_is_compressed_as_before_and_its_ranges_are_not(run: Served) -> None:
    text = b"a,b,c\n" * 50_000
    whole = run.get("/file/table.csv", headers={"Accept-Encoding": "gzip"})
    assert whole.headers["Content-Encoding"] == "gzip"
    assert whole.content == text
    part = run.get("/file/table.csv", headers={"Accept-Encoding": "gzip", "Range": "bytes=10-99999"})
    assert part.status_code == 206
    assert part.content == text[10:100_000]


def test_a_private_route_stays_private(run: Served) -> None:
    assert run.get("/private").headers["Cache-Control"] == "private, no-store"
    assert by_nginx(run, "/private")


def test_x_sendfile_names_files_of_a_root_and_no_others(run: Served) -> None:
    inside = run.get("/sendfile", params={"path": str(run.directory / "instance/big.bin")})
    assert inside.content == BIG
    assert inside.headers["Content-Type"] == "application/x-named"
    assert "X-Sendfile" not in inside.headers
    for path in (
        "elsewhere.bin",
        "instance/out.bin",
        "instance/../elsewhere.bin",
        "instance",
        "instance/none",
        "app.py",
    ):
        answer = run.get("/sendfile", params={"path": str(run.directory / path)})
        assert answer.status_code == 500, path
        assert BIG[:100] not in answer.content
    run.until_said("not a file under a root of [downloads]")


def test_nobody_else_leads_there(run: Served) -> None:
    for path in ("/-/download/0/big.bin", "/-/download/0-part/big.bin", "/-/download/1/a.css"):
        assert run.get(path).status_code == 404


@pytest.mark.parametrize(
    "to",
    [
        "/-/download/0/big.bin", "/%2d/download/0/big.bin", "/-/errors/404.html", " /-/download/0/big.bin",
        "\t/-/download/0/big.bin", "   /-/download/0/big.bin", "/-%2fdownload/0/big.bin", "//-/download/0/big.bin",
        "%2f-/download/0/big.bin", "/-/download/0-part/big.bin?x", "@portico_down", " @portico_down",
        "\x0b/-/download/0/big.bin", "http://a/-/download/0/big.bin", "/-/health/app", "/-", "",
    ],
)  # fmt: skip
def test_an_app_s_redirect_leads_to_nothing_of_portico_s(run: Served, to: str) -> None:
    """What a client wrote may end up in a header of the app's: nginx takes blanks off and decodes it."""
    answer = run.get("/accel", params={"to": to})
    assert answer.status_code == 500
    assert BIG[:100] not in answer.content


def test_an_app_s_redirect_leads_to_its_own_paths(run: Served) -> None:
    assert run.get("/accel", params={"to": "/static/a.css"}).text == "a"


@pytest.mark.parametrize("odd", ["\x0b", "\x0c", "\x1c", "\x1d", "\x1e", "\x85", "\u2028", "\u2029"])
@pytest.mark.parametrize("path", ["/named?name=", "/reflected?value="])
def test_what_python_takes_for_a_line_end_ends_no_line_of_a_head(run: Served, path: str, odd: str) -> None:
    """The rest of such a line was a line of its own, which hid the Content-Type."""
    answer = run.get(path + quote(f"a{odd}Content-Type: text/html{odd}b.txt"))
    if answer.status_code == 200:
        assert answer.headers.get_list("Content-Type") == ["text/plain; charset=utf-8"]
        assert answer.content == BIG
    else:  # HTTP has no control characters in a value, and none above U+00FF as they are
        assert answer.status_code == 500
        assert odd < "\x20" or "reflected" in path


def test_a_root_that_is_not_there_is_an_error(run: Served) -> None:
    said = portico("plan", cwd=run.directory, env={})
    assert said.returncode == 0, said.stderr
    (run.directory / "wrong.toml").write_text('[downloads]\nroots = ["missing"]\n')
    said = portico("plan", "--config", "wrong.toml", cwd=run.directory)
    assert said.returncode == 2
    assert "wrong.toml:2: downloads.roots" in said.stderr


@pytest.mark.parametrize("kind", ["apache"], indirect=True)
def test_where_the_gateway_sends_no_files_the_worker_sends_those_that_the_app_names(
    kind: tuple[str, str],
) -> None:
    with private_directory() as home:
        (home / "reports").mkdir()
        for name in ("reports/big.bin", "elsewhere.bin"):
            (home / name).write_bytes(BIG)
        (home / "reports/out.bin").symlink_to("../elsewhere.bin")
        files = {"app.py": APP, "portico.toml": '[downloads]\nroots = ["reports"]\n'}
        with served(files, *kind, directory=home) as run:
            named = {"path": str(home / "reports/big.bin")}
            whole = run.get("/sendfile", params=named)
            assert (whole.content, whole.headers["Content-Type"]) == (BIG, "application/x-named")
            assert "X-Sendfile" not in whole.headers
            for asked, first, stop in (
                ("5-99999", 5, 100_000),
                ("-7", SIZE - 7, SIZE),
                ("70000-", 70_000, SIZE),
            ):
                part = run.get("/sendfile", params=named, headers={"Range": f"bytes={asked}"})
                assert (part.status_code, part.content) == (206, BIG[first:stop])
                assert part.headers["Content-Range"] == f"bytes {first}-{stop - 1}/{SIZE}"
            for asked in ("5-4", f"{SIZE}-", "0-1,5-6", "-", "9" * 5000 + "-"):
                assert run.get("/sendfile", params=named, headers={"Range": f"bytes={asked}"}).content == BIG
            ranged = {
                "Range": "bytes=5-99"
            }  # which Werkzeug answers itself, as USE_X_SENDFILE makes Flask do
            part = run.get("/werkzeug", params=named, headers=ranged)
            assert (part.status_code, part.content) == (206, BIG[5:100])
            assert part.headers.get_list("Content-Range") == [f"bytes 5-99/{SIZE}"]
            part = run.client.head(run.url + "/werkzeug", params=named, headers=ranged)
            assert (part.status_code, part.headers["Content-Length"]) == (206, "95")
            weak = {"Range": "bytes=5-99", "If-Range": 'W/"x"'}
            assert run.get("/sendfile", params=named, headers=weak).content == BIG
            head = run.client.head(run.url + "/sendfile", params=named)
            assert head.headers["Content-Length"] == str(SIZE)
            for path in ("elsewhere.bin", "reports/out.bin", "reports/../elsewhere.bin", "reports", "app.py"):
                answer = run.get("/sendfile", params={"path": str(home / path)})
                assert answer.status_code == 500, path
                assert BIG[:100] not in answer.content
            run.until_said("files below downloads.roots are sent by the worker")


def logged(home: Path, uri: str) -> dict[str, Any] | None:
    """The line of that request, once it is there."""
    lines = portico("logs", "--no-follow", "--json", cwd=home).stdout.splitlines()
    return next((one for one in map(json.loads, lines) if one["uri"] == uri), None)


STARLETTE = """
from starlette.applications import Starlette
from starlette.responses import FileResponse, PlainTextResponse
from starlette.routing import Route

async def file(request):
    return FileResponse(request.path_params["name"], headers={"Cache-Control": "no-store"})

async def upload(request):
    return PlainTextResponse(str(len(await request.body())))

app = Starlette(routes=[Route("/file/{name:path}", file), Route("/upload", upload, methods=["POST"])])
"""


@pytest.mark.usefixtures("_needs_nginx")
def test_an_asgi_app_s_file_is_sent_by_nginx_and_its_upload_and_queue_time_are_there() -> None:
    with private_directory() as home:
        (home / "media").mkdir()
        for name in ("media/big.bin", "elsewhere.bin"):
            (home / name).write_bytes(BIG)
        toml = '[downloads]\nroots = ["media"]\n' + TOML.format(directory=home)
        with served({"app.py": STARLETTE, "portico.toml": toml}, directory=home) as run:
            answer = run.get("/file/media/big.bin")
            assert (answer.content, answer.headers["Cache-Control"]) == (BIG, "no-store")
            assert by_nginx(run, "/file/media/big.bin")
            part = run.get("/file/media/big.bin", headers={"Range": "bytes=1000-200999"})
            assert (part.status_code, part.content) == (206, BIG[1000:201_000])
            assert run.get("/file/elsewhere.bin").content == BIG
            assert not by_nginx(run, "/file/elsewhere.bin")
            sent = run.client.post(f"{run.url}/upload", content=BIG)
            assert sent.text == str(len(BIG))
            line = until(lambda: logged(home, "/upload"), run.stderr)
            assert line
            assert line["queue_us"] is not None
            assert line["endpoint"]
