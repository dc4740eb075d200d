"""The parts of the run, each by itself: sockets, files, the lock, ports, children, questions."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from portico.errors import PorticoError
from portico.link import private_socket
from portico.log.reader import entry_reader
from portico.plan.files import File, Line, Process
from portico.plan.model import Plan
from portico.plan.subjects import Health, Ladder
from portico.plan.web.entry.health import HEALTH
from portico.run.background import in_background
from portico.run.disk import lock
from portico.run.gateway import files
from portico.run.machine.action import StopMode
from portico.run.processes import child, orphans, prctl, proc, strangers
from portico.run.sockets import drain, ports, switch
from portico.run.supervisor import cause, signals
from portico.run.upstream import health
from portico.values import Address
from tests.support import free_port
from tests.support.process import launch, running


@pytest.fixture
def runtime() -> Iterator[Path]:
    path = Path(tempfile.mkdtemp(prefix="pt-", dir="/tmp"))
    yield path
    shutil.rmtree(path)


@pytest.fixture
def plan(runtime: Path) -> Plan:
    """A plan whose nginx is `true`: for the parts that start nothing."""
    return Plan(
        name="test", app="app:app", urls=("http://x/",), listen=(),
        server=Process("server", ("serve", "{conf}/server.py"), "/"),
        gateway=Process("nginx", ("true", "{conf}/nginx.conf"), "/"),
        files=(File("nginx.conf", (Line("a;"),)), File("server.py", (Line("b"),), 0o600), File("errors/404.html", ())),
        directories=(), runtime=str(runtime), state=str(runtime), socket=f"{runtime}/app.sock",
        socket_group="", backlog=8, booting="", access_log="", error_log="", binary="true", workers=1, threads=1,
        max_upload=0, ladder=Ladder.of(30), health=Health("/", "x", "http", "", 30), versions={},
    )  # fmt: skip


def _says(path: str) -> bytes:
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(path)
        return client.recv(10)


def _answer_once(listener: socket.socket, word: bytes) -> None:
    def answer() -> None:
        connection, _ = listener.accept()
        with connection:
            connection.sendall(word)

    threading.Thread(target=answer, daemon=True).start()


# Sockets -----------------------------------------------------------------------------------------------


def test_live_path_leads_to_the_release_that_was_made_live(plan: Plan) -> None:
    with switch.listen(plan, 1) as first, switch.listen(plan, 2) as second:
        switch.make_live(plan, 1)
        _answer_once(first, b"first")
        assert _says(plan.socket) == b"first"
        switch.make_live(plan, 2)
        _answer_once(second, b"second")
        assert _says(plan.socket) == b"second"
        _answer_once(first, b"still")
        assert _says(plan.release_socket(1)) == b"still"


def test_making_live_what_is_live_leaves_no_draft(plan: Plan, runtime: Path) -> None:
    with switch.listen(plan, 1):
        switch.make_live(plan, 1)
        switch.make_live(plan, 1)
        assert sorted(path.name for path in runtime.iterdir()) == [
            "app-1.sock",
            "app-1.sock.keep",
            *("app.1.sock", "app.2.sock", "app.3.sock", "app.sock", "app.sock.live"),
        ]


def test_path_that_a_server_unlinked_comes_back_with_its_queue(plan: Plan) -> None:
    with switch.listen(plan, 1) as listener:
        waiting = socket.socket(socket.AF_UNIX)
        waiting.connect(plan.release_socket(1))
        Path(plan.release_socket(1)).unlink()
        switch.take_down(plan)
        switch.restore(plan, 1)
        switch.make_live(plan, 1)
        listener.accept()[0].close()
        _answer_once(listener, b"back")
        assert _says(plan.socket) == b"back"
        waiting.close()


def test_sweep_removes_what_a_killed_portico_left(plan: Plan, runtime: Path) -> None:
    switch.listen(plan, 3).close()
    switch.make_live(plan, 3)
    (runtime / "other.sock").touch()
    assert files.next_number(str(runtime)) == 4
    switch.sweep(plan)
    assert [path.name for path in runtime.iterdir()] == ["other.sock"]


# Files -------------------------------------------------------------------------------------------------


def test_files_are_written_beside_and_switched_by_a_link(plan: Plan, runtime: Path) -> None:
    files.write(plan, 1)
    files.use(str(runtime), 1)
    assert (runtime / "conf" / "nginx.conf").read_text() == "a;\n"
    assert (runtime / "conf-1" / "server.py").stat().st_mode & 0o777 == 0o600
    assert (runtime / "conf-1" / "errors").stat().st_mode & 0o777 == 0o755
    files.write(plan, 2)
    files.use(str(runtime), 2)
    files.prune(str(runtime), {2})
    assert sorted(path.name for path in runtime.iterdir()) == ["conf", "conf-2"]


@pytest.mark.parametrize("umask", [0, 0o22, 0o77])
def test_a_socket_is_private_from_its_first_moment_whatever_our_umask(runtime: Path, umask: int) -> None:
    before = os.umask(umask)
    try:
        for _ in range(2):  # also where one lies already
            with private_socket.bind(f"{runtime}/private.sock"):
                assert (runtime / "private.sock").stat().st_mode & 0o777 == 0o600
    finally:
        os.umask(before)


def test_modes_do_not_depend_on_our_umask(plan: Plan, runtime: Path) -> None:
    before = os.umask(0o077)
    try:
        files.write(plan, 1)
    finally:
        os.umask(before)
    assert (runtime / "conf-1").stat().st_mode & 0o777 == 0o755
    assert (runtime / "conf-1" / "nginx.conf").stat().st_mode & 0o777 == 0o644


def test_only_nginx_files_count_as_a_change_of_nginx(plan: Plan) -> None:
    app_only = replace(plan, files=(*plan.files[:1], File("server.py", (Line("c"),)), *plan.files[2:]))
    page = replace(plan, files=(*plan.files[:2], File("errors/404.html", (Line("gone"),))))
    assert not files.gateway_changed(plan, app_only)
    assert files.gateway_changed(plan, page)


def test_what_nginx_says_against_its_files_is_quoted(plan: Plan) -> None:
    grumpy = replace(plan.gateway, argv=("sh", "-c", "echo 'emerg: no' >&2; exit 1"))
    assert files.tested(plan, files.directory(plan.runtime, 1)) == ()
    (problem,) = files.tested(replace(plan, gateway=grumpy), files.directory(plan.runtime, 1))
    assert problem.quote == "emerg: no\n"


def test_what_was_in_force_is_removed_after_a_clean_stop(plan: Plan, runtime: Path) -> None:
    files.write(plan, 1)
    files.use(str(runtime), 1)
    files.remove(plan)
    assert list(runtime.iterdir()) == []


# The lock ----------------------------------------------------------------------------------------------


def test_lock_tells_what_is_running_and_goes_away(plan: Plan) -> None:
    assert lock.running(plan.runtime) is None
    with lock.held(plan):
        seen = lock.running(plan.runtime)
        assert seen is not None
        assert (seen.pid, seen.app, seen.urls) == (os.getpid(), "app:app", ("http://x/",))
        with pytest.raises(PorticoError, match="already running: app:app at http://x/"), lock.held(plan):
            pass
    assert lock.running(plan.runtime) is None
    assert list(Path(plan.runtime).iterdir()) == []


def test_lock_of_a_killed_portico_is_free(plan: Plan) -> None:
    Path(plan.runtime, lock.NAME).write_text('{"pid": 1, "app": "old", "urls": [], "since": 0}')
    assert lock.running(plan.runtime) is None
    with lock.held(plan):
        pass


def test_looking_does_not_get_in_the_way_of_starting(plan: Plan) -> None:
    over = threading.Event()

    def look() -> None:
        while not over.is_set():
            lock.running(plan.runtime)

    thread = threading.Thread(target=look)
    thread.start()
    for _ in range(50):
        with lock.held(plan):
            pass
    over.set()
    thread.join()


# Ports -------------------------------------------------------------------------------------------------


def test_taken_port_names_its_owner() -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        with pytest.raises(PorticoError) as caught:
            ports.check([Address("127.0.0.1", port)], "/x/nginx")
    (problem,) = caught.value.problems
    assert problem.what.startswith(f"port {port} is taken by pid {os.getpid()}: ")


def test_address_of_another_machine() -> None:
    with pytest.raises(PorticoError, match=r"this machine has no address 192\.0\.2\.1"):
        ports.check([Address("192.0.2.1", 8080)], "/x/nginx")


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to become somebody else")
def test_low_port_says_what_to_do() -> None:
    script = (
        "import os\n"
        "from portico.errors import PorticoError\nfrom portico.run.sockets import ports\n"
        "from portico.values import Address\n"
        "os.setgid(65534); os.setuid(65534)\n"
        "try: ports.check([Address('127.0.0.1', 81)], '/x/nginx')\nexcept PorticoError as error: print(error)\n"
    )
    source = Path(ports.__file__).parents[3]
    found = Path("/proc/sys/net/ipv4/ip_unprivileged_port_start").read_text()
    if int(found) <= 81:
        pytest.skip("every user may use port 81 here")
    argv = [sys.executable, "-c", script]
    said = subprocess.run(
        argv, env={"PYTHONPATH": str(source)}, capture_output=True, text=True, check=True
    ).stdout
    assert said == (
        "listen 127.0.0.1:81: user 65534 may not use port 81, ports below 1024 are reserved\n"
        "  listen on a port from 1024 up: --listen 127.0.0.1:8081\n"
        "  let this nginx use low ports: sudo setcap cap_net_bind_service=+ep /x/nginx\n"
        "  or let every program use them: sudo sysctl net.ipv4.ip_unprivileged_port_start=81\n"
    )


def test_the_way_out_of_a_reserved_port_is_an_address_that_can_be_typed() -> None:
    problem = ports._forbidden("listen [::]:80", Address("::", 80), "/x/nginx")
    assert problem.hint.splitlines()[0] == "listen on a port from 1024 up: --listen [::]:8080"


# Children ----------------------------------------------------------------------------------------------


def _child(script: str, **how: Any) -> child.Child:
    return child.start(
        "test", (sys.executable, "-c", script), cwd="/", env={}, signals=child.APP_SERVER, **how
    )


def _reaped(started: child.Child) -> bool:
    deadline = time.monotonic() + 60
    while not started.group_is_gone and time.monotonic() < deadline:
        started.reap()
        time.sleep(0.01)
    return started.group_is_gone


def test_child_inherits_its_listener_as_descriptor_3() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener_is_3 = "import socket, sys; sys.exit(socket.socket(fileno=3).getsockname()[1] % 251)"
        started = _child(listener_is_3, listener=listener)
        assert _reaped(started)
        assert started.code == listener.getsockname()[1] % 251


def test_child_leads_its_own_group() -> None:
    started = _child("import time; time.sleep(60)")
    assert os.getpgid(started.pid) == started.pid
    assert os.getsid(started.pid) == os.getsid(0)
    assert os.sched_getscheduler(started.pid) == os.SCHED_BATCH
    assert [entry.pid for entry in proc.group_of(started.pid)] == [started.pid]
    started.end(StopMode.DRAIN)
    assert _reaped(started)
    assert started.code == -signal.SIGTERM


def test_orphans_of_a_killed_leader_are_found_and_ended() -> None:
    prctl.adopt_orphans()
    started = _child("import os, time; os.fork(); time.sleep(60)")
    deadline = time.monotonic() + 60
    while len(proc.group_of(started.pid)) < 2 and time.monotonic() < deadline:
        time.sleep(0.01)
    os.kill(started.pid, signal.SIGKILL)
    while started.code is None:
        started.reap()
    assert not started.group_is_gone
    started.end(StopMode.DRAIN)
    assert _reaped(started)


def test_a_leader_that_somebody_else_collected_has_ended() -> None:
    started = _child("pass")
    os.waitpid(started.pid, 0)
    assert started.reap()
    assert (started.code, started.group_is_gone) == (child.UNKNOWN, True)


def test_a_dead_child_of_ours_is_never_taken_for_a_stranger() -> None:
    """On a busy machine the look is reached before the signal that tells of it."""
    started, ended = _child("pass"), list[bool]()
    os.waitid(os.P_PID, started.pid, os.WEXITED | os.WNOWAIT)
    looker = signals._Strangers(lambda: ended.append(started.reap()))
    entry = proc.entry(started.pid)
    assert entry
    looker._seen = frozenset({(entry.pid, entry.started)})

    async def look() -> None:
        looker.look()

    asyncio.run(look())
    assert ended == [True]
    assert started.code == 0


def test_strangers_are_looked_at_once_a_second_however_many_children_end() -> None:
    stranger = launch([sys.executable, "-c", "pass"])
    os.waitid(os.P_PID, stranger.pid, os.WEXITED | os.WNOWAIT)
    looks = list[None]()

    async def ends(count: int) -> None:
        looker = signals._Strangers(lambda: looks.append(None))
        for _ in range(count):
            looker.look_later()
        while not looks:
            await asyncio.sleep(0.01)

    asyncio.run(ends(5))
    assert len(looks) == 1
    assert stranger.wait() == 0


def test_daemons_that_exit_are_reaped_at_once_and_children_of_others_later() -> None:
    prctl.adopt_orphans()
    owned = launch([sys.executable, "-c", "pass"])
    leader = launch([sys.executable, "-c", "pass"], leads=True)
    daemons = "import os; print(*[os.fork() or os._exit(0) for _ in range(5)])"  # sh reaps some itself
    program = ["setsid", sys.executable, "-c", daemons]
    said = subprocess.run(program, check=True, capture_output=True, text=True)
    pids = [int(word) for word in said.stdout.split()]
    for pid in (owned.pid, leader.pid, *pids):
        os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
    left = strangers.reap(frozenset())
    assert not {one.pid for one in proc.own_children()}.intersection(pids)
    assert {owned.pid, leader.pid} <= {pid for pid, _ in left}
    assert owned.wait() == leader.wait() == 0
    assert not {owned.pid, leader.pid}.intersection(one.pid for one in proc.own_children())


def test_program_that_does_not_exist() -> None:
    with pytest.raises(FileNotFoundError):
        child.start("x", ("/no/such/program",), cwd="/", env={}, signals=child.APP_SERVER)


def test_leftovers_are_ended_and_strangers_spared(runtime: Path) -> None:
    ready = runtime / "ready"
    left = _child(
        "import pathlib, signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); "
        f"pathlib.Path('{ready}').touch(); time.sleep(60)"
    )
    while not ready.exists():
        time.sleep(0.01)
    with running(["sleep", "60"], leads=True) as stranger:
        same_number = replace_started(left, stranger.pid)
        orphans.record(str(runtime), [left, same_number])
        reaper = threading.Thread(target=_reaped, args=(left,))
        reaper.start()
        orphans.end(str(runtime))
        reaper.join()
        assert left.code == -signal.SIGKILL
        assert stranger.poll() is None
    assert not (runtime / orphans.NAME).exists()


def replace_started(one: child.Child, pid: int) -> child.Child:
    """A record of somebody whose pid was given to another process since."""
    return replace(one, pid=pid, started=one.started - 1)


def test_garbage_in_the_record_of_children_is_ignored(runtime: Path) -> None:
    (runtime / orphans.NAME).write_text('[{"pid": 1,')
    orphans.end(str(runtime))


# Questions ---------------------------------------------------------------------------------------------


def test_several_good_answers_in_a_row_are_wanted() -> None:
    answers = iter([200, 500, 200, 404, 302])
    heard: list[str] = []

    async def ask() -> health.Answer:
        return health.Answer(next(answers))

    asyncio.run(health.until_well(ask, 3, lambda answer: heard.append(str(answer))))
    assert heard == ["status 500"]


def test_an_error_of_the_app_s_own_ends_the_asking_where_nothing_else_serves() -> None:
    answers = iter([health.Answer(words="no answer"), health.Answer(503), health.Answer(500)])
    heard: list[str] = []

    async def ask() -> health.Answer:
        return next(answers)

    def hear(answer: health.Answer) -> None:
        heard.append(str(answer))

    assert asyncio.run(health.until_well(ask, 1, hear, until_up=True)).is_up
    assert heard == ["no answer", "status 503"]


LOG = """\
Traceback (most recent call last):
  File "db.py", line 1, in execute
    raise OperationalError("no such table: post")
sqlite3.OperationalError: no such table: post

The above exception was the direct cause of the following exception:

Traceback (most recent call last):
  File "shop.py", line 9, in index
    session.execute(...)
sqlalchemy.exc.OperationalError: (sqlite3.OperationalError) no such table: post
[SQL: SELECT * FROM post]
(Background on this error at: https://sqlalche.me/e/20/e3q8)
"""


@pytest.mark.parametrize(
    ("error", "command", "expected"),
    [
        (
            "sqlite3.OperationalError: no such table: post",
            "flask --app shop init-db",
            "flask --app shop init-db",
        ),
        ('psycopg.errors.UndefinedTable: relation "post" does not exist', "", "the app's own command"),
        ("pymysql.err.ProgrammingError: (1146, \"Table 'a.b' doesn't exist\")", "x", "x"),
        ("KeyError: 'post'", "flask --app shop init-db", ""),
        ("", "flask --app shop init-db", ""),
    ],
)
def test_what_may_help_when_there_are_no_tables(error: str, command: str, expected: str) -> None:
    found = cause.remedy(error, command)
    assert expected in found
    assert bool(found) == bool(expected)


def test_what_the_app_raised_is_found_by_the_question_s_id(tmp_path: Path) -> None:
    log = tmp_path / "app.log"
    entries = [
        {"id": "b", "text": "Traceback (most recent call last)\nKeyError: 1"},
        {"id": "a", "text": LOG},
    ]
    log.write_text("{half\n" + "".join(f"{json.dumps(entry)}\n" for entry in entries))
    expected = "sqlalchemy.exc.OperationalError: (sqlite3.OperationalError) no such table: post"
    reader = entry_reader()
    assert cause.raised(str(log), "a", reader) == expected
    assert reader.complaint() == "1 line of app.log could not be read"  # it has the id, too
    assert cause.raised(str(tmp_path / "none"), "a", reader) == cause.raised(str(log), "nobody", reader) == ""


@pytest.mark.parametrize(
    ("body", "shown"),
    [
        (b'{"database": "down"}\nmore', ' to GET /healthz: "{"database": "down"}"'),
        (b"<!doctype html>\n<style>p {}</style>\n<title>500 Oops</title>", ' to GET /healthz: "500 Oops"'),
        (b"", " to GET /healthz"),
    ],
)
def test_an_error_names_the_path_and_how_its_body_begins(tmp_path: Path, body: bytes, shown: str) -> None:
    path = f"{tmp_path}/s"

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 500 No\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
        writer.close()

    async def ask() -> str:
        async with await asyncio.start_unix_server(serve, path):
            return str(await health.ask_server(path, Health("/healthz", "a", "http", "", 1, is_http=True)))

    assert asyncio.run(ask()) == f"status 500{shown}"


def test_refused_connection_is_an_answer_to_report() -> None:
    async def ask() -> None:
        heard: list[str] = []
        address = Address("127.0.0.1", free_port())
        asking = health.until_well(
            lambda: health.ask_gateway([address], Health("/", "x", "http", "", 1)),
            1,
            lambda a: heard.append(str(a)),
        )
        task = asyncio.create_task(asking)
        while not heard:
            await asyncio.sleep(0.01)
        task.cancel()
        assert "Connect call failed" in heard[0]

    asyncio.run(ask())


@pytest.mark.parametrize(
    ("path", "is_closed", "status"), [("/", True, 200), ("/", False, 503), (HEALTH, True, 503)]
)
def test_a_site_that_is_closed_for_maintenance_is_up(path: str, *, is_closed: bool, status: int) -> None:
    """httpd has no health path that asks the app: Portico's question is one of the requests that get 503."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n")
        writer.close()

    async def ask() -> int:
        async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
            address = Address("127.0.0.1", server.sockets[0].getsockname()[1])
            asked = Health("/", "x", "http", "", 1, gateway_path=path)
            return (await health.ask_gateway([address], asked, is_closed=is_closed)).status

    assert asyncio.run(ask()) == status


def test_work_in_the_background_returns_raises_and_is_not_waited_for() -> None:
    async def go() -> None:
        assert await in_background(lambda: 5) == 5
        with pytest.raises(ZeroDivisionError):
            await in_background(lambda: 1 // 0)
        waiting = asyncio.create_task(in_background(lambda: time.sleep(30)))
        await asyncio.sleep(0.05)
        waiting.cancel()

    began = time.monotonic()
    asyncio.run(go())
    assert time.monotonic() - began < 25


def test_requests_with_the_app_are_counted(plan: Plan) -> None:
    path = plan.release_socket(1)
    with switch.listen(plan, 1) as listener, socket.socket(socket.AF_UNIX) as client:
        assert _count(path) == (0, 0)
        client.connect(path)
        assert _count(path) == (1, 0)
        accepted, _ = listener.accept()
        assert _count(path) == (0, 1)
        accepted.close()
        assert _count(path) == (0, 0)


def _count(path: str) -> tuple[int, int]:
    """Those in the queue, and those accepted."""
    return drain.requests(frozenset({path}), "02"), drain.requests(frozenset({path}), "03")
