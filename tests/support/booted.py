"""A machine with Debian 13 whose process 1 is systemd, in namespaces of its own: root, mounts, processes, network.

Its disk is the Debian 13 of scripts/debian13 with a layer above it: systemd, and what Portico needs of Python. The
layer is made once and kept. What the machine writes is a second layer, and goes with it. cgroups are of version 2,
which need no controllers for that: also on a kernel that gives its controllers to version 1.
"""

from __future__ import annotations

import hashlib
import os
import pty
import shutil
import subprocess
import threading
import time
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

from tests.support import ROOT, private_directory
from tests.support.process import running
from tests.support.until import until

PATIENCE_SECONDS = 600
_KEPT_SECONDS = 30 * 86400
_CACHE = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "portico"
_PATH = "/opt/site/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_OF_THE_HOST = ("/etc/resolv.conf", "/etc/hosts", "/etc/pip.conf", "/etc/ssl/certs/ca-certificates.crt")
_MASKED = (
    "nginx.service", "apache2.service", "console-getty.service", "systemd-logind.service", "systemd-sysctl.service",
    "systemd-modules-load.service", "apt-daily.timer", "apt-daily-upgrade.timer",
)  # fmt: skip
"""What would ask for a port, or change a kernel that is not this machine's alone."""
_MADE = """
mount -t overlay overlay -o "lowerdir=$1,upperdir=$2/upper,workdir=$2/work" "$2/root"
cd "$2/root"
mount -t proc proc proc
mount --rbind /dev dev
mkdir -p src && mount --bind "$3" src
for file in $4; do [ ! -e "$file" ] || cp -L "$file" ".$file"; done
exec chroot . env -i HOME=/root LANG=C.UTF-8 DEBIAN_FRONTEND=noninteractive PATH="$5" sh -euc '
  apt-get -qq update && apt-get -qq install --yes --no-install-recommends systemd
  for unit in $0; do ln -sf /dev/null "/etc/systemd/system/$unit"; done
  python3 -m venv /opt/site
  python -m pip install --quiet --disable-pip-version-check -c /src/constraints.txt flask $1
  echo /src/src >"$(echo /opt/site/lib/python3*/site-packages)/portico.pth"
  printf "#!/bin/sh\\nexec /opt/site/bin/python -m portico \\"\\$@\\"\\n" >/opt/site/bin/portico
  chmod +x /opt/site/bin/portico' "$6" "$7"
"""
_BOOT = """
echo $$ >"$4/cgroup.procs"
exec unshare --mount --pid --fork --kill-child --cgroup --uts --ipc --net --propagation private bash -euc '
  mount -t overlay overlay -o "lowerdir=$2/upper:$1,upperdir=$3/upper,workdir=$3/work" "$3/root"
  cd "$3/root"
  mount -t proc proc proc
  mount -t sysfs sysfs sys
  mount -t cgroup2 cgroup2 sys/fs/cgroup
  mount -t tmpfs -o mode=755 tmpfs dev
  for one in null zero full random urandom tty; do touch dev/$one && mount --bind /dev/$one dev/$one; done
  touch dev/console && mount --bind "$5" dev/console
  mkdir dev/pts dev/shm && mount -t devpts -o newinstance,ptmxmode=0666 devpts dev/pts && ln -s pts/ptmx dev/ptmx
  mount -t tmpfs -o mode=755 tmpfs run
  mount -t tmpfs -o mode=1777 tmpfs tmp
  mkdir -p src && mount --bind "$6" src && mount -o remount,bind,ro src
  ip link set lo up
  mkdir -p old && pivot_root . old && umount -l old
  exec env -i container=portico PATH="$7" TERM=dumb /usr/lib/systemd/systemd' bash "$@"
"""


@dataclass(frozen=True)
class Machine:
    pid: int
    """Of its process 1, as this machine counts."""
    disk: Path

    def __call__(self, script: str) -> str:
        """What a script of the shell prints there."""
        words = (
            "nsenter",
            "-t",
            str(self.pid),
            "-a",
            "env",
            "-i",
            "HOME=/root",
            "LANG=C.UTF-8",
            f"PATH={_PATH}",
        )
        done = subprocess.run(
            [*words, "sh", "-euc", script], capture_output=True, text=True, timeout=PATIENCE_SECONDS, check=False
        )  # fmt: skip
        assert done.returncode == 0, f"{script}: {done.stdout[-3000:]}{done.stderr[-3000:]}"
        return done.stdout

    def from_its_network(self, *command: str) -> subprocess.CompletedProcess[str]:
        """A program of this machine, with the network of that one."""
        return subprocess.run(
            ["nsenter", "-t", str(self.pid), "-n", *command],
            cwd=ROOT, capture_output=True, text=True, timeout=PATIENCE_SECONDS, check=False,
        )  # fmt: skip


@contextmanager
def booted() -> Iterator[Machine]:
    """Raises RuntimeError with the reason where this machine can make or boot none."""
    base = _debian()
    layer, groups = _layer(base), _groups()
    group = groups / f"portico-booted-{os.getpid()}"
    try:
        group.mkdir()
    except OSError as error:
        raise RuntimeError(f"no cgroup can be made: {error}") from None
    master, console = pty.openpty()
    said = bytearray()
    threading.Thread(target=_read, args=(master, said), daemon=True).start()
    with private_directory() as directory:
        for name in ("upper", "work", "root"):
            (directory / name).mkdir()
        words = (str(base), str(layer), str(directory), str(group), os.ttyname(console), str(ROOT), _PATH)
        try:
            with running(["bash", "-euc", _BOOT, "bash", *words], stdout=console, stderr=console) as outer:
                until(lambda: _first_of(outer.pid) is not None, said.decode, 60)
                first = _first_of(outer.pid)
                assert first is not None
                machine = Machine(first.pid, directory / "upper")
                until(
                    lambda: _is_up(machine), lambda: said.decode(errors="replace")[-3000:], PATIENCE_SECONDS
                )
                yield machine
                first.kill()
        finally:
            os.close(console)
            _remove(group)


def _debian() -> Path:
    found = subprocess.run(
        [str(ROOT / "scripts" / "debian13"), "--root"], capture_output=True, text=True, check=False
    )  # fmt: skip
    if found.returncode:
        raise RuntimeError(found.stderr)
    return Path(found.stdout.strip())


def _layer(base: Path) -> Path:
    """systemd and Portico's packages, above that Debian."""
    wanted = " ".join(_requirements())
    key = hashlib.sha256(f"{base}{wanted}{_MADE}{_MASKED}".encode()).hexdigest()[:8]
    layer = _CACHE / f"booted-{key}"
    if (layer / "made").exists():
        return layer
    for old in _CACHE.glob("booted-*"):
        if time.time() - old.stat().st_mtime > _KEPT_SECONDS:  # others may use a younger one
            shutil.rmtree(old, ignore_errors=True)
    draft = _CACHE / f"booted-{key}.{os.getpid()}"
    for name in ("upper", "work", "root"):
        (draft / name).mkdir(parents=True)
    words = (str(base), str(draft), str(ROOT), " ".join(_OF_THE_HOST), _PATH, " ".join(_MASKED), wanted)
    made = subprocess.run(
        ["unshare", "--mount", "--propagation", "private", "bash", "-euc", _MADE, "bash", *words],
        capture_output=True, text=True, timeout=PATIENCE_SECONDS, check=False,
    )  # fmt: skip
    if made.returncode:
        raise RuntimeError(made.stdout + made.stderr)
    (draft / "made").touch()
    with suppress(OSError):  # another run was faster
        draft.rename(layer)
    return layer


def _requirements() -> list[str]:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    return [one.replace(" ", "") for one in project["dependencies"] if ";" not in one]


def _groups() -> Path:
    """Where cgroups of version 2 are."""
    for line in Path("/proc/mounts").read_text().splitlines():
        _, where, kind, *_ = line.split()
        if kind == "cgroup2":
            return Path(where)
    raise RuntimeError("there are no cgroups of version 2")


def _first_of(pid: int) -> psutil.Process | None:
    """systemd, once it is that: the process that unshare has forked."""
    with suppress(psutil.Error):
        for one in psutil.Process(pid).children(recursive=True):
            if one.name() == "systemd" and one.ppid() in (
                pid,
                *(each.pid for each in psutil.Process(pid).children()),
            ):
                return one
    return None


def _is_up(machine: Machine) -> bool:
    with suppress(AssertionError):
        return machine("systemctl is-system-running || true").strip() in ("running", "degraded")
    return False


def _read(master: int, said: bytearray) -> None:
    with suppress(OSError):
        while text := os.read(master, 4096):
            said.extend(text)


def _remove(group: Path) -> None:
    """Once all processes of it have ended."""
    for _ in range(100):
        with suppress(OSError):
            for one in sorted(group.rglob("*/"), key=lambda path: -len(path.parts)):
                one.rmdir()
            group.rmdir()
            return
        time.sleep(0.1)
