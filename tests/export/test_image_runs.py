"""A site's image, built and run: not root, on a disk that it cannot write, and nothing is lost at its end.

The base image is made from the Debian 13 of scripts/debian13: no registry is asked. Needs root (mounts) and Debian's
packages podman, runc, catatonit, netavark, aardvark-dns and iptables.
"""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

import httpx
import psutil
import pytest
import yaml

from tests.acceptance.app import FILES
from tests.acceptance.places import accept, loses_nothing, noted
from tests.export.pods import Pods, controllers, network, wait_for
from tests.support import ROOT, Served, free_port, portico, private_directory, served, write_files
from tests.support.clients import STRANGERS
from tests.support.process import PIPE, running
from tests.support.until import until

PATIENCE_SECONDS = 900
pytestmark = [
    pytest.mark.skipif(os.geteuid() != 0, reason="only root may mount what an image is made of"),
    pytest.mark.timeout(1200),  # a minute on a quiet machine
    pytest.mark.skipif(shutil.which("podman") is None, reason="needs podman"),
]
APP = """
import subprocess

begun = []

@app.get("/")
def index():
    key = pathlib.Path("/run/secrets/key")
    return {"user": os.getuid(), "version": VERSION, "key": key.read_text() if key.exists() else "",
            "env": pathlib.Path(".env").exists()}

@app.get("/version")
def version():
    return str(VERSION)

@app.get("/replica")
def replica():
    return os.uname().nodename

@app.get("/slow")
def slow():
    begun.append(1)
    (there / f"slow-{time.monotonic()}").touch()
    time.sleep(8)
    return "all of it"

@app.get("/begun")
def how_many():
    return str(len(begun))

@app.get("/orphan")
def orphan():
    subprocess.run(["sh", "-c", "sleep 0.2 &"], check=True)
    return "left behind"
"""
TOML = """
[env]
OF_THE_SITE = "known"
[release]
before = "sh -c 'echo before a release: $OF_THE_SITE'"
"""
PROJECT = FILES | {
    "shop.py": f"VERSION = 1\n{FILES['shop.py']}{APP}",
    ".env": "SECRET=1\n",
    "portico.toml": FILES["portico.toml"] + TOML,
}
_LEFT_OUT = (
    "./proc/*", "./sys/*", "./dev/*", "./tmp/*", "./root/*", "./src", "./venv", "./usr/lib/gcc", "./usr/libexec/gcc",
    "./etc/apt/sources.list", "./etc/apt/sources.list.d/*", "./var/lib/apt/lists/*",
    "./usr/share/doc", "./usr/share/locale", "./usr/share/man", "./usr/include", "./var/cache/apt/archives/*.deb",
)  # fmt: skip
"""Also the lists of packages: what the Dockerfile installs is there already, and apt has nothing to read."""
UNCHANGED = "localhost/unchanged"
"""The project's image. Copies have the name of the project, so theirs replace one another."""
_OF_THE_HOST = ("/etc/pip.conf", "/etc/ssl/certs/ca-certificates.crt")
"""How packages are reached from here; the image does not contain them."""


@dataclass
class Engine:
    """podman, with images and containers of its own."""

    directory: Path
    environment: dict[str, str]
    inside: tuple[str, ...] = ()
    """The command that podman is an argument of."""

    def __call__(self, *words: str, code: int | None = 0, given: str = "", with_errors: bool = False) -> str:
        done = subprocess.run(
            [*self.inside, "podman", *words],
            env=self.environment,
            input=given,
            capture_output=True,
            text=True,
            timeout=PATIENCE_SECONDS,
            check=False,
        )
        assert code is None or done.returncode == code, f"{words}: {done.stdout[-3000:]}{done.stderr[-3000:]}"
        return done.stdout + done.stderr if with_errors else done.stdout

    def build(self, project: Path, image: str = "shop") -> str:
        return self(*self.building(project, image))

    def building(self, project: Path, image: str = "shop") -> list[str]:
        mounts = [f"-v={path}:{path}:ro" for path in _OF_THE_HOST if Path(path).exists()]
        return [
            "build", "--format", "docker", "--isolation", "chroot", "--network", "host", *mounts,
            "--build-arg", "PYTHON=localhost/python", "-t", image, str(project),
        ]  # fmt: skip


@dataclass
class Container:
    engine: Engine
    port: int
    name: str

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def get(self, path: str) -> httpx.Response:
        return httpx.get(f"{self.url}{path}", timeout=60)

    @property
    def runs(self) -> bool:
        return self.engine("inspect", "--format", "{{.State.Running}}", self.name).strip() == "true"

    def words(self) -> str:
        """How it is, and what it said."""
        state = self.engine("inspect", "--format", "{{json .State}}", self.name, code=None)
        return state + self.engine("logs", self.name, code=None, with_errors=True)

    @property
    def first(self) -> psutil.Process:
        return psutil.Process(int(self.engine("inspect", "--format", "{{.State.Pid}}", self.name)))


@pytest.fixture(scope="module")
def engine() -> Iterator[Engine]:
    with private_directory() as directory:
        (directory / "storage.conf").write_text(
            f'[storage]\ndriver = "overlay"\nrunroot = "{directory}/run"\ngraphroot = "{directory}/images"\n'
        )
        (directory / "containers.conf").write_text(
            '[containers]\ndefault_ulimits = ["nofile=1024:1024", "nproc=1000:1000"]\n'
            f'[network]\nnetwork_config_dir = "{directory}/networks"\nnetwork_backend = "netavark"\n'
            '[engine]\ncgroup_manager = "cgroupfs"\nruntime = "runc"\nevents_logger = "none"\n'
        )
        (directory / "tmp").mkdir()
        environment = os.environ | {
            "CONTAINERS_STORAGE_CONF": str(directory / "storage.conf"),
            "CONTAINERS_CONF": str(directory / "containers.conf"),
            "TMPDIR": str(directory / "tmp"),
        }
        made = Engine(directory, environment)
        _import_base(made)
        try:
            yield made
        finally:
            made("rm", "--all", "--force", "--time", "0", code=None)
            subprocess.run(
                ["umount", "-l", str(directory / "images" / "overlay")], capture_output=True, check=False
            )


def _import_base(engine: Engine) -> None:
    """The image `localhost/python`, as far as a Dockerfile of ours can tell it from `python:slim`."""
    found = subprocess.run(
        [str(ROOT / "scripts" / "debian13"), "--root"],
        capture_output=True,
        text=True,
        timeout=PATIENCE_SECONDS,
        check=False,
    )
    if found.returncode:
        pytest.skip(found.stderr)
    packed = ["tar", "-C", found.stdout.strip(), *(f"--exclude={one}" for one in _LEFT_OUT), "-c", "."]
    with running(packed, stdout=PIPE) as archive:
        done = subprocess.run(
            ["podman", "import", "-", "localhost/python"], stdin=archive.stdout, env=engine.environment,
            capture_output=True, text=True, timeout=PATIENCE_SECONDS, check=False,
        )  # fmt: skip
        assert archive.wait() == done.returncode == 0, done.stderr


@pytest.fixture(scope="module")
def project(engine: Engine) -> Path:
    """A site with the files of the export, and its image. Tests that change them take a copy."""
    directory = engine.directory / "shop"
    write_files(directory, PROJECT)
    exported(directory, "docker")
    engine.build(directory, UNCHANGED)
    return directory


@pytest.fixture
def copy(project: Path) -> Iterator[Path]:
    """The project for one test: what it changes, no other sees."""
    with private_directory() as directory:
        yield shutil.copytree(project, directory / project.name)  # images have the name of the directory


def exported(directory: Path, *words: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "portico", "export", *words],
        cwd=directory, env=os.environ | {"PORTICO_USER": "root"}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture
def container(engine: Engine, project: Path) -> Iterator[Container]:
    port, key = free_port(), engine.directory / "key"
    key.write_text("from a file")
    name = f"shop-{port}"
    engine(
        "run", "--detach", "--name", name, "--network", "host", "--read-only", "--tmpfs", "/tmp", "--cap-drop", "ALL",
        "--security-opt", "no-new-privileges", "--pids-limit", "2048", "--memory", "300m", "--cpus", "1",
        "-v", f"{name}:/var/lib/portico", "-v", f"{key}:/run/secrets/key:ro", "-e", f"PORT={port}", UNCHANGED,
    )  # fmt: skip
    made = Container(engine, port, name)
    try:
        until(lambda: _is_healthy(made) or not made.runs, made.words, PATIENCE_SECONDS)
        assert made.runs, made.words()
        yield made
    finally:
        engine("rm", "--force", "--time", "0", name, code=None)


def _is_healthy(container: Container) -> bool:
    try:
        return container.get("/-/health").status_code == 200
    except httpx.HTTPError:
        return False


def test_it_runs_without_rights_on_a_disk_that_it_cannot_write_and_finishes_at_sigterm(
    container: Container,
) -> None:
    engine, name = container.engine, container.name
    said = container.get("/").json()
    assert (said["user"], said["key"], said["env"]) == (10001, "from a file", False)
    accept("container", container.url)
    engine("healthcheck", "run", name)
    assert set(container.first.uids()) == {10001}
    engine("exec", name, "sh", "-c", "! touch /x /srv/shop/x /venv/x && ! test -e /venv/bin/pip")
    until(  # a worker that another test has held up is replaced
        lambda: "workers    1;" in engine("exec", name, "portico", "status"),
        lambda: engine("exec", name, "portico", "status"),
    )
    assert "/usr/sbin/nginx" in _below(container, psutil.Process.exe)
    assert container.get("/orphan").text == "left behind"
    until(
        lambda: "sleep" not in _below(container, psutil.Process.name),
        "process 1 waits for what others left behind",
    )

    with noted("container", "drain"):
        _finishes(container)


def _finishes(container: Container) -> None:
    """A request of eight seconds, at SIGTERM."""
    engine, name = container.engine, container.name
    answers = list[httpx.Response]()
    client = threading.Thread(target=lambda: answers.append(container.get("/slow")))
    client.start()
    until(lambda: container.get("/begun").text == "1", "the request has come")
    engine("stop", "--time", "25", name)
    client.join(60)
    assert [(answer.status_code, answer.text) for answer in answers] == [(200, "all of it")]
    assert engine("inspect", "--format", "{{.State.ExitCode}} {{.State.OOMKilled}}", name) == "143 false\n"


def _below(container: Container, what: Callable[[psutil.Process], str]) -> set[str]:
    """Of its processes, also of those that have ended and that nobody waited for."""
    found = set[str]()
    for one in container.first.children(recursive=True):
        with suppress(psutil.NoSuchProcess):  # it was waited for meanwhile
            found.add(what(one))
    return found


def _built(said: str) -> list[str]:
    """The steps of a build that were not in the cache."""
    steps = [step for step in said.split("STEP ") if "/" in step[:5]]
    built = [step.splitlines()[0].partition(": ")[2] for step in steps if "Using cache" not in step]
    return [one for one in built if one.startswith(("RUN", "COPY"))]


WRITTEN = ("compose.yaml", "compose-gateway/portico.toml", "release")
COMPOSE = """\
#!/bin/sh
[ "$1" != build ] || exec podman {building}
exec {python} -m podman_compose "$@"
"""


@dataclass
class Compose:
    """podman-compose for a project, as a user and `./release` call it."""

    engine: Engine
    project: Path

    def __post_init__(self) -> None:
        self._program = self.engine.directory / f"compose-{free_port()}"
        self._program.write_text(
            COMPOSE.format(building=shlex.join(self.engine.building(self.project)), python=sys.executable)
        )
        self._program.chmod(0o755)

    def __call__(self, *words: str) -> str:
        return self._run(str(self._program), *words)

    def release(self) -> str:
        return self._run("./release")

    def _run(self, *command: str) -> str:
        done = subprocess.run(
            command, cwd=self.project, env=self.engine.environment | {"COMPOSE": str(self._program)},
            capture_output=True, text=True, timeout=PATIENCE_SECONDS, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
        return done.stdout + done.stderr

    def until_served(self, gateway: Container) -> None:
        """Several containers start: two minutes where others want both processors."""
        until(
            lambda: _is_healthy(gateway) and gateway.get("/version").status_code == 200,
            lambda: self("ps", "-a") + self("logs", "--tail", "30"),
            PATIENCE_SECONDS,
        )


def test_a_rolling_release_loses_no_request_and_a_third_replica_is_found(engine: Engine, copy: Path) -> None:
    """Of clients with fresh connections: nginx before 1.27.4 closes idle ones at a reload, without a word."""
    port, network = free_port(), f"10.{200 + os.getpid() % 50}.{os.getpid() % 250}"
    compose = Compose(engine, copy)

    def export(replicas: int) -> None:
        for name in WRITTEN:
            (copy / name).unlink(missing_ok=True)
        exported(copy, "compose", "--replicas", str(replicas))
        for name in WRITTEN:
            text = (copy / name).read_text().replace("172.30.84", network)
            text = text.replace('"80:8080"', f'"{port}:8080"')
            # A network of its own: rules of one that was killed would hide a container's address from another.
            (copy / name).write_text(text.replace("\nname: shop\n", f"\nname: shop-{port}\n"))

    try:
        export(2)
        engine.build(copy)
        compose("up", "-d")
        gateway = Container(engine, port, "gateway")
        compose.until_served(gateway)
        accept("compose", gateway.url)
        (copy / "shop.py").write_text(PROJECT["shop.py"].replace("VERSION = 1", "VERSION = 3"))
        with loses_nothing("compose", port, STRANGERS, mix=("GET /version",)) as clients:
            said = compose.release()
            assert said.count("before a release: known") == 1, said
            until(lambda: clients.asked[-1].said == "3")
            export(3)
            compose("up", "-d", "--no-recreate")
            compose("exec", "-T", "gateway", "portico", "reload")
            until(lambda: len({gateway.get("/replica").text for _ in range(9)}) == 3)
        assert clients.answers.keys() == {"1", "3"}
        assert _built(said) == ["COPY . .", "RUN /venv/bin/python -m compileall -q . || true"]
    finally:
        compose("down", "-t", "0")


HASHED = (
    "me:$6$saltsalt$7Qku0eIEEXuAxrGDguSKkky1tVGpF35JPZFE9b7j6rPh9E2Hz0S9hP9i85MrUtXpZ9ZTVGB1.eoUEytftxo.Y0\n"
)
_RUNS_NGINX = "grep -qx nginx /proc/[0-9]*/comm"
OF_THE_GATEWAY = """
[access."/behind-a-password"]
users = "staff.users"
"""


def test_gateway_and_app_apart_share_sockets_and_no_secret_and_lose_no_request(
    engine: Engine, copy: Path
) -> None:
    """The gateway's container knows the app by its file of facts, and the app's have no address."""
    port = free_port()
    compose = Compose(engine, copy)
    secrets = {".env.app": "OF_THE_APP=only\n", "staff.users": HASHED}
    write_files(copy, secrets | {
        "portico.toml": f'env_file = [".env.app"]\n{PROJECT["portico.toml"]}{OF_THE_GATEWAY}',
    })  # fmt: skip
    for name in secrets:
        os.chown(copy / name, 10001, 10001)
        (copy / name).chmod(0o400)
    exported(copy, "compose", "--apart")
    text = (copy / "compose.yaml").read_text().replace('"80:8080"', f'"{port}:8080"')
    (copy / "compose.yaml").write_text(text.replace("\nname: shop\n", f"\nname: shop-{port}\n"))

    def inside(service: str, script: str) -> str:
        return compose("exec", "-T", service, "sh", "-c", script)

    def begun(service: str) -> int:
        if service not in stopped:
            seen[service] = int(inside(service, "ls /tmp | grep -c slow- || true").split()[0])
        return seen[service]

    seen, stopped = dict[str, int](), set[str]()
    gateway = Container(engine, port, "gateway")
    try:
        engine.build(copy)
        compose("up", "-d")
        compose.until_served(gateway)
        accept("apart", gateway.url)
        assert gateway.get("/behind-a-password").status_code == 401
        home = f"/srv/{copy.name}"
        inside("gateway", f"! test -s {home}/.env.app && test -s {home}/staff.users && {_RUNS_NGINX}")
        inside("app-1", f"test -s {home}/.env.app && ! test -s {home}/staff.users && ! {_RUNS_NGINX}")
        inside("app-1", "! touch /x && test $(id -u) = 10001")
        inside("gateway", "! touch /run/sockets/x && test $(id -u) = 10001")
        assert "gateway" not in inside("app-2", "ls /run/sockets")
        (copy / "shop.py").write_text(PROJECT["shop.py"].replace("VERSION = 1", "VERSION = 3"))
        with loses_nothing("apart", port, STRANGERS, mix=("GET /version",)) as clients:
            compose.release()
            until(lambda: clients.asked[-1].said == "3")
        assert clients.answers.keys() == {"1", "3"}
        for number, service in enumerate(("app-1", "gateway"), 1):  # nothing in progress is lost
            with noted("apart", "drain"), ThreadPoolExecutor(4) as askers:
                answers = [askers.submit(gateway.get, "/slow") for _ in range(4)]
                until(lambda number=number: begun("app-1") + begun("app-2") == 4 * number)  # type: ignore[misc]
                compose("stop", "-t", "30", service)
                stopped.add(service)
                found = [(one.result().status_code, one.result().text) for one in answers]
                assert found == [(200, "all of it")] * 4, service
    finally:
        compose("down", "-v", "-t", "0")


GATEWAY = """
request_timeout = "12s"
max_upload = "2MiB"
[upstream]
servers = SERVERS
check_path = "/-/health"
"""
SECRET = "{apiVersion: v1, kind: Secret, metadata: {name: shop}, data: {key: ZnJvbSBhIGZpbGU=}}"


def test_pods_are_replaced_one_after_the_other_and_no_request_is_lost(engine: Engine, copy: Path) -> None:
    """Two of the exported Deployment behind a gateway; each is ready before an old one is told to end."""
    subnet, name = f"10.{100 + os.getpid() % 50}.{os.getpid() % 250}", f"pods-{free_port()}"
    with controllers() as inside, network(podman := replace(engine, inside=inside), name, subnet):
        podman("secret", "create", "shop", "-", given=SECRET)
        old, new = (_exported_pods(podman, copy, version, name) for version in (1, 2))
        old.play("Job", "release", f"{subnet}.9")
        podman("wait", "release-release")
        assert podman("logs", "release-release") == "migrated shop:app by 10001\n"
        addresses = [f"{subnet}.{number}" for number in (11, 12, 13, 14)]
        toml = GATEWAY.replace("SERVERS", str([f"{one}:8080" for one in addresses]))
        for pod, address in zip("ab", addresses, strict=False):
            old.play("Deployment", pod, address)
        for pod, address in zip("ab", addresses, strict=False):
            wait_for(old, pod, address)
        with served({"portico.toml": toml}) as gateway:
            until(lambda: httpx.get(f"{gateway.url}/replica", timeout=60).status_code == 200)
            accept("pod", gateway.url)
            with loses_nothing("pod", gateway.port, STRANGERS, mix=("GET /version", "POST /go/x")) as clients:
                for pod, first, later in (
                    ("a", addresses[0], addresses[2]),
                    ("b", addresses[1], addresses[3]),
                ):
                    new.play("Deployment", f"{pod}2", later)
                    wait_for(new, f"{pod}2", later)
                    old.end(pod, lambda first=first: drained(gateway, first))  # type: ignore[misc]
                until(lambda: clients.answers["2"] > 100)
        assert clients.answers.keys() == {"1", "2", ""}
        assert len(clients.asked) > 500


def drained(gateway: Served, address: str) -> None:
    done = portico("drain", f"{address}:8080", cwd=gateway.directory)
    assert done.returncode == 0, done.stderr


def _exported_pods(podman: Engine, project: Path, version: int, network: str) -> Pods:
    """The image of that version, and the objects of its export."""
    (project / "shop.py").write_text(PROJECT["shop.py"].replace("VERSION = 1", f"VERSION = {version}"))
    podman.build(project, f"localhost/shop:{version}")
    command = """sh -c 'echo "migrated $FLASK_APP by $(id -u)"'"""
    text = exported(project, "kubernetes", f"--image=localhost/shop:{version}", f"--release={command}")
    return Pods(podman, tuple(one for one in yaml.safe_load_all(text) if one), network)
