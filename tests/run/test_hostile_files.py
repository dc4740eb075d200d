"""Started as root: what the app's user writes where Portico reads stops nothing, and leads root nowhere."""

from __future__ import annotations

import json
import os
import pwd
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from portico.errors import PorticoError
from portico.project.running import gateway_of
from portico.protocol.trace import Trace
from portico.run.control import client
from portico.run.disk import lock
from portico.run.processes import orphans, proc
from portico.watch.trace import evidence, records
from portico.watch.trace.evidence import TracedSite
from tests.run.test_rights import made, said
from tests.support import Served, private_directory, start, until_ready
from tests.support import end as stop
from tests.support.process import PIPE, launch, running
from tests.support.until import until
from tests.users import ONLY_ROOT, USER, paths, places, python

pytestmark = [ONLY_ROOT, pytest.mark.timeout(500)]

DEEP = "[" * 100_000
"""No decoder follows that: each has a bound of its own, and an error for it that is no ValueError."""
HUGE = "9" * 4_000
RECORD = '"pid": 1, "thread": 0, "ended": true, "environ": {}'
TOLD = {
    "/list": "[1]",
    "/other": '{"ended": true}',
    "/deep": '{"zz": ' + DEEP,
    "/no-events": f'{{{RECORD}, "events": []}}',
    "/huge": f'{{{RECORD}, "events": [{{"what": "taken", "ns": {HUGE}}}]}}',
    "/half": f'{{{RECORD}, "response": {{}}, "events": [{{"what": "view begins", "ns": 1}},'
    '{"what": "started", "ns": 1}]}',
}
"""What the app's worker writes of a traced request with that path."""
APP = f"""
from flask import Flask
from portico.link.trace import Record

app = Flask(__name__)
TOLD = {TOLD!r}
write = Record.write

def hostile(self):
    told = TOLD.get(self.data["environ"].get("PATH_INFO"))
    if told is None:
        return write(self)
    self._path.write_text(told)

Record.write = hostile

@app.get("/")
def fails():
    return "down", 500

@app.get("/raises")
def raises():
    raise RuntimeError("always")

@app.get("/<path:what>")
def well(what):
    print("said", what)
    return "well"
"""
WRITER = """
import json, os, sys
for path, kind, text in json.loads(sys.stdin.read()):
    if kind == "append":
        open(path, "a").write(text)
        continue
    made = path + "~"
    if kind == "text":
        open(made, "w").write(text)
    elif kind == "sparse":
        os.truncate(os.open(made, os.O_WRONLY | os.O_CREAT), 1 << 40)
    else:
        {"fifo": os.mkfifo, "folder": os.mkdir, "link": lambda made: os.symlink(text, made)}[kind](made)
    os.rename(made, path)
"""
"""Run by the app's user. A name appears with what it names."""


@pytest.fixture(scope="module")
def shop() -> Iterator[Served]:
    with private_directory() as home:
        run = start(made(home, app=APP), python=python(), env=paths(home))
        try:
            until_ready(run)
            yield run
        finally:
            stop(run)


def write(*files: tuple[Path, str, str]) -> None:
    entry = pwd.getpwnam(USER)
    subprocess.run(
        [python(), "-c", WRITER], input=json.dumps([(str(path), *rest) for path, *rest in files]), text=True,
        user=entry.pw_uid, group=entry.pw_gid, extra_groups=[], check=True,
    )  # fmt: skip


def status(run: Served) -> dict[str, Any]:
    done = said(run.directory, "status", "--json")
    assert done.stdout, done.stderr + run.stderr()[-3000:]
    told: dict[str, Any] = json.loads(done.stdout)
    return told


OTHERS = [("fifo", ""), ("folder", ""), ("link", "/dev/zero"), ("link", "/etc/shadow"), ("sparse", "")]
"""What may lie in the place of a file."""


def test_what_workers_tell_of_their_code_stops_no_watcher(shop: Served) -> None:
    runtime, _ = places(shop)
    told = status(shop)
    server, pids = told["releases"][0]["pid"], iter(proc_pids())
    texts = [
        '{"zz": ' + DEEP,
        '{"limit": 1}',
        f'{{"limit": {HUGE}, "memory": {HUGE}}}',
        '{"memory": 1e999}',
        "[]",
    ]
    other = '{"code": {"app.py": 1, "a\\u0000b": 2}, "error": "x"}'
    files = [(runtime / "workers" / f"{server}-{next(pids)}.json", "text", text) for text in texts]
    files += [(runtime / "workers" / f"{server}-{next(pids)}.json", *one) for one in OTHERS]
    files += [(runtime / "workers" / f"{server}-{shop.process.pid}-{server}.json", "text", other)]
    last = (runtime / "workers" / f"{server}-failed.json", "text", '{"error": "the last \\u001b[31m file"}')
    write(*files, last)
    try:
        until(lambda: "the last" in status(shop)["releases"][0]["cannot_load"], "the last file is read")
        assert status(shop)["watchers"] == []
        assert "the last \\x1b[31m file" in said(shop.directory, "status").stdout
    finally:
        clear(runtime / "workers", [path for path, *_ in (*files, last)])


def test_what_workers_tell_of_slow_requests_leaves_the_others_readable(shop: Served) -> None:
    runtime, _ = places(shop)
    pids = iter(proc_pids())
    frame = {"file": "app.py", "line": 1, "name": "view", "text": "\x1b]0;mine\x07"}
    slow = {"method": "GET", "path": "/slow", "endpoint": "", "id": "1", "age_seconds": 5.0, "silent_seconds": 5.0,
            "pid": 1, "thread": 1, "stack": [frame]}  # fmt: skip
    texts = [
        DEEP,
        "[[" + DEEP,
        json.dumps([slow | {"pid": 10**30}]),
        json.dumps([slow | {"age_seconds": 1e300}]),
    ]
    files = [(runtime / "slow" / f"{next(pids)}.json", "text", text) for text in [json.dumps([slow]), *texts]]
    files += [(runtime / "slow" / f"{next(pids)}.json", *one) for one in OTHERS]
    write(*files)
    for path, kind, _ in files:
        if kind == "text":  # workers write once a second, and a file of ten seconds ago is not read
            os.utime(path, (time.time() + 3600,) * 2)
    try:
        assert [one["path"] for one in status(shop)["slow"]] == ["/slow"]
        shown = said(shop.directory, "status").stdout
        assert "/slow" in shown
        assert "\x1b" not in shown
    finally:
        clear(runtime / "slow", [path for path, *_ in files])


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("text", f'{{"zz": {DEEP}\n[{HUGE}]\n\xff\n{{"text": []}}\n'),
        ("fifo", ""),
        ("link", "/dev/zero"),
        ("sparse", ""),
    ],
)
def test_what_lies_in_place_of_the_app_s_log_holds_nothing_up(shop: Served, kind: str, text: str) -> None:
    """`status` asks the app that fails anew, and looks into its log for why it does."""
    _, state = places(shop)
    log = Path(f"{state}.app", "app.log")
    assert shop.get("/any").status_code == 200
    until(log.exists, "a line of the app's")
    log.rename(f"{log}.aside")
    try:
        write((log, kind, text))
        told = status(shop)
        assert told["releases"][0]["failing"]
        assert shop.get("/any").status_code == 200
        (now,) = client.lines(str(places(shop)[0]), "GET", "/live", once="1")
        assert now["status"]["phase"] == told["phase"]
        for words in (("logs", "--no-follow"), ("trace", "/any")):
            done = said(shop.directory, *words)
            assert done.returncode == 0, (words, done.stderr)
        assert status(shop)["watchers"] == []
    finally:
        Path(f"{log}.aside").rename(log)


def test_a_line_of_the_app_s_log_that_cannot_be_read_costs_no_other(shop: Served) -> None:
    """The error that the app raises after it is shown all the same."""
    _, state = places(shop)
    write((Path(f"{state}.app", "app.log"), "append", f'{{"zz": {DEEP}\n'))
    assert shop.get("/raises").status_code == 500
    runtime = str(places(shop)[0])

    def errors() -> list[str]:
        (now,) = client.lines(runtime, "GET", "/live", once="1")
        return [one["text"] for one in now["errors"]]

    until(lambda: any("RuntimeError: always" in text for text in errors()), "the error")
    assert status(shop)["watchers"] == []


@pytest.mark.parametrize("path", ["/deep", "/half"])
def test_what_a_worker_tells_of_a_traced_request_is_left_out_when_it_is_none(shop: Served, path: str) -> None:
    done = said(shop.directory, "trace", path)
    assert done.returncode == 0, done.stderr + shop.stderr()[-3000:]
    assert "internal error" not in done.stderr


def test_a_record_that_is_none_is_left_out() -> None:
    with private_directory() as home:
        for name, text in TOLD.items():
            (home / f"{name[1:]}.json").write_text(text)
        assert [one.events[0].what for one in records.read(home)] == ["view begins"]


def proc_pids() -> list[int]:
    """Of processes that live for as long as the test does."""
    found = [1, os.getpid(), os.getppid()]
    return [*found, *sorted({int(path.name) for path in Path("/proc").glob("[0-9]*")} - set(found))][:60]


def clear(directory: Path, found: list[Path]) -> None:
    for path in found:
        with suppress(FileNotFoundError):
            path.rmdir() if path.is_dir() and not path.is_symlink() else path.unlink()
    assert directory.is_dir()


# A site of another user's ---------------------------------------------------------------------------------


@pytest.fixture
def theirs() -> Iterator[Path]:
    """The runtime directory of a site that `games` runs, and beside it what is root's."""
    with private_directory() as home:
        home.chmod(0o755)
        runtime = home / "shop-123456"
        for path in (runtime, home / "state"):
            path.mkdir()
            shutil.chown(path, USER)
        (home / "ours").mkdir(mode=0o755)
        yield runtime


def site(runtime: Path) -> TracedSite:
    log = runtime.parent / "state" / "access.log"
    return TracedSite(runtime, runtime / "nginx.conf", log, log, log)


def test_a_trace_by_root_gives_nobody_a_directory_that_a_link_leads_to(theirs: Path) -> None:
    ours = theirs.parent / "ours"
    before = ours.stat()
    (theirs / "trace").symlink_to(ours)
    with pytest.raises(PorticoError, match="cannot be written"), evidence._invitation(site(theirs)):
        pass
    assert (ours.stat().st_uid, ours.stat().st_mode) == (before.st_uid, before.st_mode)
    assert not list(ours.iterdir())


@pytest.mark.parametrize("link", ["state", "state/traces", "state/traces/{id}.json"])
def test_a_trace_is_kept_behind_no_link_and_under_no_name_of_the_site_s(theirs: Path, link: str) -> None:
    ours, name = theirs.parent / "ours", "0" * 32
    (ours / "file").write_text("root's")
    path = theirs.parent / link.format(id=name)
    if path.parent.name == "traces":
        path.parent.mkdir()
    if path.is_dir():
        path.rmdir()
    path.symlink_to(ours / "file" if path.suffix else ours)
    for wanted in (name, "../../ours/other"):
        evidence.keep(site(theirs), wanted, Trace(method="GET", url="/", id="", status=200, error=""))
    assert [each.name for each in ours.iterdir()] == ["file"]
    assert (ours / "file").read_text() == "root's"


def lock_text(**more: float) -> bytes:
    return json.dumps({"pid": 2, "app": "x", "urls": [], "since": 1.0} | more).encode()


@pytest.mark.parametrize(
    "content",
    [b"\xff", b"/a\0b", b"x" * 100_000, DEEP.encode(), lock_text(pid=99999999999), lock_text(since=1e300)],
)
def test_what_another_user_says_of_his_site_is_read_or_is_not_there(theirs: Path, content: bytes) -> None:
    for name in ("gateway", lock.NAME):
        (theirs / name).write_bytes(content)
    assert gateway_of(str(theirs)) == ""
    with lock_held(theirs):
        found = lock.running(str(theirs))
    assert found is not None
    assert found.pid == 0


@pytest.mark.parametrize("kind", ["fifo", "link"])
def test_what_is_no_file_names_no_gateway(theirs: Path, kind: str) -> None:
    write((theirs / "gateway", kind, "/dev/zero"))
    assert gateway_of(str(theirs)) == ""


class lock_held:  # noqa: N801  read like a function
    def __init__(self, runtime: Path) -> None:
        argv = ["flock", "--exclusive", str(runtime / lock.NAME), "sh", "-c", "echo; cat"]
        self._holder = launch(argv, stdin=PIPE, stdout=PIPE)

    def __enter__(self) -> None:
        assert self._holder.stdout
        self._holder.stdout.readline()

    def __exit__(self, *_: object) -> None:
        self._holder.communicate()


def test_a_lock_that_another_user_left_is_made_anew(theirs: Path) -> None:
    """Its owner could write into it whom `portico stop` is to end."""
    path = theirs / lock.NAME
    path.touch()
    shutil.chown(path, USER)
    number = lock._acquire(path)
    try:
        assert os.fstat(number).st_uid == 0
        assert os.path.samestat(os.fstat(number), path.stat())
    finally:
        os.close(number)


@pytest.mark.parametrize("owner", [USER, "root"])
def test_root_ends_what_a_list_of_its_own_names_and_nothing_else(theirs: Path, owner: str) -> None:
    """The directory has been another user's, who may have left that file in it."""
    with running(["sleep", "1000"], leads=True) as process:
        entry = proc.entry(process.pid)
        assert entry
        left = {"pid": process.pid, "started": entry.started, "drain": 15, "boot": proc.boot_id()}
        (theirs / orphans.NAME).write_text(json.dumps([left]))
        shutil.chown(theirs / orphans.NAME, owner)
        orphans.end(str(theirs))
        assert (process.poll() is None) == (owner == USER)
