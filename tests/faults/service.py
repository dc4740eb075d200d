"""The exported unit under a real systemd, as process 1 of namespaces of its own; needs root."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

from tests.faults.clients import Clients
from tests.faults.outcome import Outcome
from tests.support import free_port
from tests.support.clients import Asked
from tests.support.process import running

UNIT = "portico-trial.service"
_SYSTEMD = Path("/lib/systemd/systemd")
_CGROUPS = Path("/sys/fs/cgroup")
_APP = "from flask import Flask\napp = Flask(__name__)\n\n@app.get('/')\ndef index():\n    return 'here'\n"
_WATCHDOG_SECONDS = 30.0
_PASSWORD = "correct horse battery staple"

# Nothing of the machine's own units is seen, and nothing of /run and /var is touched.
_BOOT = """
mount --make-rprivate / && mount -t tmpfs tmpfs /run && mkdir -p /run/lock
mount -t tmpfs tmpfs /etc/systemd/system && mount -t tmpfs tmpfs /usr/lib/systemd/system
mkdir -p /var/lib/private && mount -t tmpfs -o mode=700 tmpfs /var/lib/private
cp -r "$1"/. /etc/systemd/system/
mount --make-rshared /  # as at a boot: systemd mounts a service's credentials in a child
container=portico exec "$2" --unit=trial.target --log-target=null --show-status=no
"""


def service(rounds: int) -> Outcome:
    """Reload, restart, kill and hang Portico as systemd's service."""
    if os.geteuid() != 0 or not _SYSTEMD.exists():
        return Outcome("systemd", "0 in reload and restart", broken=("needs root and systemd",))
    port, metrics = free_port(), free_port()
    with _booted(port, metrics) as systemd, Clients(port, mix=("GET /",)) as clients:
        _do(systemd, clients, "reload", rounds)
        _do(systemd, clients, "restart", rounds)
        calm, told = list(clients.failed), _metrics_status(metrics)
        main = systemd("show", UNIT, "-p", "MainPID", "--value").strip()
        killed = time.monotonic()
        systemd.inside("kill", "-KILL", main)
        _until_asked(clients, killed, 5)
        hung = time.monotonic()
        systemd.inside("kill", "-STOP", systemd("show", UNIT, "-p", "MainPID", "--value").strip())
        _until_asked(clients, hung, _WATCHDOG_SECONDS + 10)
        restarts = int(systemd("show", UNIT, "-p", "NRestarts", "--value"))
        systemd("stop", UNIT)
    broken = [str(asked) for asked in calm]
    broken += [] if restarts == 2 else [f"systemd started it again {restarts} times, expected 2"]
    broken += [] if told == (401, 200) else [f"the metrics answered {told} without and with the password"]
    after = [asked for asked in clients.failed if asked not in calm and _before_stop(asked, hung)]
    return Outcome(
        "systemd", "0 in reload and restart; what the killed one held", len(clients.asked), len(after),
        clients.back_after(killed, hung),
        (f"{rounds} reloads, {rounds} restarts, a kill -9, a hang that the watchdog ended",), tuple(broken),
    )  # fmt: skip


def _metrics_status(port: int) -> tuple[int, int]:
    """Without, and with the password that only root and the service can read."""
    url = f"http://127.0.0.1:{port}/metrics"
    return httpx.get(url).status_code, httpx.get(url, auth=("any", _PASSWORD)).status_code


@dataclass(frozen=True)
class _Systemd:
    pid: int

    def __call__(self, *words: str) -> str:
        """Ask it, as systemctl."""
        return self.inside("systemctl", *words)

    def inside(self, *words: str) -> str:
        return _run("nsenter", "-t", str(self.pid), "-m", "-p", "-i", "-u", "--", *words)


def _do(systemd: _Systemd, clients: Clients, order: str, times: int) -> None:
    for _ in range(times):
        began = time.monotonic()
        systemd(order, UNIT)
        _until_asked(clients, began, 2)


def _until_asked(clients: Clients, moment: float, seconds: float) -> None:
    """Let the clients ask for so long."""
    time.sleep(max(0.0, moment + seconds - time.monotonic()))


def _before_stop(asked: Asked, hung: float) -> bool:
    return asked.began < hung + _WATCHDOG_SECONDS + 9


@contextmanager
def _booted(port: int, metrics: int) -> Iterator[_Systemd]:
    # Not below /tmp or /home: the service does not see those.
    home = Path(tempfile.mkdtemp(prefix="portico-", dir="/opt"))
    home.chmod(0o755)
    before = set(_groups())
    try:
        units = _units(home, port, metrics)
        words = ["unshare", "--pid", "--fork", "--kill-child", "--mount", "--mount-proc", "--uts", "--ipc"]
        boot = [*words, "sh", "-c", _BOOT, "sh", str(units), str(_SYSTEMD)]
        with running(boot, number=signal.SIGKILL) as process:
            yield _ready(process.pid)
    finally:
        shutil.rmtree(home, ignore_errors=True)
        _remove(set(_groups()) - before)


def _units(home: Path, port: int, metrics: int) -> Path:
    """The exported unit, below a target that asks for nothing else."""
    (home / "app").mkdir()
    (home / "app" / "app.py").write_text(_APP)
    units = home / "units"
    (units / f"{UNIT}.d").mkdir(parents=True)
    secret = home / "password"
    secret.touch(mode=0o600)
    secret.write_text(_PASSWORD)
    words = ["export", "systemd", "app:app", "--listen", f"127.0.0.1:{port}"]
    words += ["--metrics", f"127.0.0.1:{metrics}", "--metrics-password-file", str(secret)]
    (units / UNIT).write_text(_run(str(_python(home)), "-m", "portico", *words, cwd=home / "app"))
    (units / f"{UNIT}.d" / "alone.conf").write_text("[Unit]\nDefaultDependencies=no\n")
    (units / "trial.target").write_text(f"[Unit]\nDefaultDependencies=no\nWants={UNIT}\n")
    return units


def _python(home: Path) -> Path:
    """A Python that every user may run, with the packages of this one."""
    made = home / "venv"
    _run("/usr/bin/python3", "-m", "venv", "--without-pip", str(made))
    site = next((made / "lib").iterdir()) / "site-packages"
    (site / "trial.pth").write_text(
        "\n".join(path for path in sys.path if path and "/python3" not in path[-12:])
    )
    return made / "bin" / "python"


def _ready(parent: int) -> _Systemd:
    until, said = time.monotonic() + 60, ""
    while time.monotonic() < until:
        children = Path(f"/proc/{parent}/task/{parent}/children").read_text().split()
        if children:
            systemd = _Systemd(int(children[0]))
            try:
                if systemd("is-active", UNIT).strip() == "active":
                    return systemd
            except RuntimeError as error:  # it is still coming up
                said = str(error)
        time.sleep(0.2)
    raise RuntimeError(f"systemd did not start the service within 60 s: {said}")


def _groups() -> Iterator[Path]:
    """The cgroups that systemd makes at the top of each hierarchy."""
    for pattern in ("*.slice", "*/*.slice", "*.scope", "*/*.scope"):
        yield from _CGROUPS.glob(pattern)


def _remove(groups: set[Path]) -> None:
    """Remove them; the kernel needs a moment after the last process."""
    until = time.monotonic() + 5
    left = sorted(
        (path for group in groups for path in [group, *group.rglob("*")] if path.is_dir()), reverse=True
    )
    while left and time.monotonic() < until:
        left = [path for path in left if not _removed(path)]
        time.sleep(0.05)


def _removed(group: Path) -> bool:
    try:
        group.rmdir()
    except OSError:
        return not group.exists()
    return True


def _run(*words: str, cwd: Path | None = None) -> str:
    done = subprocess.run(words, cwd=cwd, capture_output=True, text=True, timeout=120, check=False)
    if done.returncode:
        raise RuntimeError(f"{' '.join(words[-4:])}: {done.stderr or done.stdout}")
    return done.stdout
