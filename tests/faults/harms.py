"""What can happen to a site, each as a piece that meets any other in a pair (`tests.faults.pairs`)."""

from __future__ import annotations

import http.client
import os
import shutil
import signal
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, ClassVar

import psutil

from portico.errors import PorticoError
from portico.run.control import client
from tests.faults.clients import Clients
from tests.faults.kills import CONFIGURATION, closing, was_away, was_held, workers_of_nginx
from tests.faults.shortages import FULL, fill
from tests.faults.stage import APP, Stage, eventually
from tests.support import write_files
from tests.support.clients import Asked
from tests.support.process import is_alive
from tests.support.until import PATIENCE_SECONDS

OLD, NEW = "0", "1"
"""The release that serves at first, and the one that a reload brings."""
IMPORTS = 'import time\nopen("importing", "w").close()\ntime.sleep(0.4)\n'
"""A release that is being imported says so, and takes long enough for something to happen meanwhile."""
MANY = "xxxx" * (1 << 20)
"""A download of 4 MiB: more than the sockets of both sides hold, with a client that does not read."""
IMPORT_FAILED = 4
LETTER = "letter-" + "y" * 30000
"""An upload that nginx keeps in memory; it is the key of its POST as well."""


@dataclass
class Scene:
    """What the two harms of a pair share; `wrong` takes what must not be."""

    stage: Stage
    clients: Clients
    serves: str = OLD
    mark: str = "0"
    """Of the configuration that is in force."""
    deaths: list[tuple[float, float]] = field(default_factory=list)
    """Of the whole site: from when until a client saw it again."""
    is_broken_on_disk: bool = False
    is_down: bool = False
    """Portico has ended and cannot start before the code on the disk is mended."""
    posts_killed: set[int] = field(default_factory=set)
    wrong: list[str] = field(default_factory=list)

    def expect(self, is_so: object, words: str) -> None:
        if not is_so:
            self.wrong.append(words)

    def until(self, is_so: Callable[[], bool], words: str, seconds: float = PATIENCE_SECONDS) -> None:
        self.expect(eventually(_calm(is_so), seconds) is not None, f"not within {seconds:g} s: {words}")

    def is_lost_with_the_site(self, asked: Asked) -> bool:
        return was_away(asked, self.deaths, self.clients)


def _calm(is_so: Callable[[], bool]) -> Callable[[], bool]:
    """Asked of something that may be away at the moment."""

    def look() -> bool:
        with suppress(PorticoError, OSError, psutil.Error, ValueError, KeyError):
            return is_so()
        return False

    return look


class Harm:
    """`strike` returns when it has begun, `settle` when what it began has ended, `heal` mends what is left of it."""

    key: ClassVar[str]
    words: ClassVar[Sequence[str]] = ()
    """Of `portico run`."""
    needs_root: ClassVar[bool] = False
    ends_site: ClassVar[bool] = False
    """Portico ends and is started again: orders in progress are lost, and transfers."""
    cuts_transfers: ClassVar[bool] = False
    loses_code: ClassVar[bool] = False
    """No worker with the app is left: the code on the disk must be loaded."""

    def __init__(self, scene: Scene, other: type[Harm]) -> None:
        self.scene, self.other = scene, other

    @property
    def stage(self) -> Stage:
        return self.scene.stage

    def prepare(self) -> None:
        """Before anything is harmed."""

    def strike(self) -> None:
        raise NotImplementedError

    def settle(self) -> None:
        pass

    def heal(self) -> None:
        pass

    def may_fail(self, asked: Asked) -> bool:
        return False

    def mend_code(self) -> None:
        """Put the release that serves on the disk again."""
        self.stage.release(OLD)
        self.scene.is_broken_on_disk = False


# Orders ------------------------------------------------------------------------------------------------------


class _Order(Harm):
    """Asked in the background, because something else happens meanwhile."""

    path: ClassVar[str] = "/reload"
    ends: ClassVar[str] = "Switched"

    def strike(self) -> None:
        self.said: list[dict[str, Any]] = []
        self._asking = threading.Thread(target=self._ask)
        self._asking.start()

    def _ask(self) -> None:
        with suppress(PorticoError):  # Portico has ended meanwhile
            self.said += client.lines(str(self.stage.run.runtime), "POST", self.path)

    def settle(self) -> None:
        self._asking.join(120)
        news = [item["notice"] for item in self.said]
        self.scene.expect(
            self.ends in news or self.other.ends_site, f"{self.key} did not end with {self.ends}: {self.said}"
        )


class Reload(_Order):
    key = "reload"

    def strike(self) -> None:
        self.stage.release(NEW, before=IMPORTS)
        super().strike()
        self.scene.until((self.stage.home / "importing").exists, "the new release is imported")
        self.scene.serves = NEW


class RefusedReload(_Order):
    """Code that cannot be imported lies on the disk until it is healed."""

    key = "refused-reload"
    ends = "ReleaseDropped"

    def strike(self) -> None:
        self.scene.is_broken_on_disk = True
        self.stage.write("app.py", IMPORTS + "import no_such_module\n")
        super().strike()
        self.scene.until((self.stage.home / "importing").exists, "the broken release is imported")

    def heal(self) -> None:
        self.mend_code()


class Configuration(_Order):
    """nginx is reloaded, too."""

    key = "configuration"

    def strike(self) -> None:
        self.stage.write("portico.toml", CONFIGURATION.format(mark="1"))
        self.scene.mark = "1"
        super().strike()


class Rollback(_Order):
    """To the release before, which is on standby; each has a directory of its own, as the documentation wants it."""

    key = "rollback"
    path = "/rollback"
    ends = "RolledBack"

    def prepare(self) -> None:
        bad = self.stage.home / "bad"
        bad.mkdir()
        posts = str(self.stage.home / "posts.log")
        app = APP.replace("RELEASE", "bad").replace("posts.log", posts)
        write_files(bad, {**files(), "app.py": app})
        said = list(client.lines(str(self.stage.run.runtime), "POST", "/reload", path=str(bad)))
        assert "Switched" in [item["notice"] for item in said], said


class Recycling(Harm):
    """Each worker leaves after so many requests."""

    key = "recycling"
    words = ("--workers-max-requests", "60")

    def strike(self) -> None:
        self._began = time.monotonic()
        self._first = set(self._pids())

    def settle(self) -> None:
        """Without code that can be loaded they stay: see that they are asked for more than they should answer."""
        if self.scene.is_broken_on_disk:
            self.scene.clients.go_on(rounds=25)
        else:
            self.scene.until(lambda: not self._first & self._pids(), "the workers are replaced")

    def _pids(self) -> set[int]:
        return {child.pid for child in self.stage.arbiter().children()}


# Kills -------------------------------------------------------------------------------------------------------


class _Kill(Harm):
    def strike(self) -> None:
        while True:
            victim = self.victim()
            self.sent = time.monotonic()
            with suppress(psutil.NoSuchProcess):  # it has just been replaced
                victim.kill()
                break
        self.gone = self.sent + (eventually(lambda: not is_alive(victim)) or 60)

    def victim(self) -> psutil.Process:
        raise NotImplementedError

    def was_held(self, asked: Asked) -> bool:
        return asked.began <= self.gone and self.sent <= asked.ended


class AppWorker(_Kill):
    key = "app-worker"

    def victim(self) -> psutil.Process:
        found = self.stage.arbiter().children()[0]
        self.scene.posts_killed.add(found.pid)
        return found

    def may_fail(self, asked: Asked) -> bool:
        """A POST that it held."""
        by = self.stage.posts().get(asked.key, [])
        return (
            asked.what.startswith("POST")
            and self.was_held(asked)
            and all(pid in self.scene.posts_killed for pid in by)
        )


class Arbiter(_Kill):
    key = "arbiter"
    loses_code = True

    def victim(self) -> psutil.Process:
        return self.stage.arbiter()

    def heal(self) -> None:
        """Where no code can be loaded the site was down, and said so at once.

        The workers of the dead arbiter answer for a moment, and one of its successor may still have read the broken
        code and end all: the site is back when both workers have loaded the mended code.
        """
        if self.scene.is_broken_on_disk:
            self.mend_code()
            self.scene.until(self.stage.is_loaded, "both workers load the mended code")
            self.scene.deaths.append((self.sent, self.scene.clients.recovered(time.monotonic())))

    def may_fail(self, asked: Asked) -> bool:
        return asked.status in (502, 503) and self.scene.is_lost_with_the_site(asked)


class NginxWorker(_Kill):
    key = "nginx-worker"
    cuts_transfers = True

    def victim(self) -> psutil.Process:
        return psutil.Process(workers_of_nginx(self.stage.nginx())[0])

    def may_fail(self, asked: Asked) -> bool:
        return was_away(asked, [(self.sent, self.gone)], self.scene.clients)


class NginxMaster(_Kill):
    key = "nginx-master"
    cuts_transfers = True

    def victim(self) -> psutil.Process:
        return self.stage.nginx()

    def settle(self) -> None:
        self.scene.expect(self.scene.clients.recovered(self.gone) < float("inf"), "nginx did not come back")


class StoppedWorker(Harm):
    """SIGSTOP for a while: the other one takes the load, and what it held waits."""

    key = "stopped-worker"
    seconds = 2.0

    def strike(self) -> None:
        self._worker = self.stage.arbiter().children()[0]
        self._worker.suspend()
        self._until = time.monotonic() + self.seconds
        self._waker = threading.Thread(target=self._wake)
        self._waker.start()

    def _wake(self) -> None:
        time.sleep(self.seconds)
        with suppress(psutil.Error):
            self._worker.resume()

    def settle(self) -> None:
        self._waker.join()


# The whole site ------------------------------------------------------------------------------------------------


class _Ends(Harm):
    """Portico ends and is started again in the same directory, as a service manager does; see `Scene.deaths`."""

    ends_site = True
    cuts_transfers = True
    loses_code = True

    def strike(self) -> None:
        workers = workers_of_nginx(self.stage.nginx())
        self.began = time.monotonic()
        self.end()
        self.closed = closing(workers)
        self.start()

    def end(self) -> None:
        raise NotImplementedError

    def start(self) -> None:
        """Again and again, as a service manager does, until the code on the disk can be loaded."""
        self.stage.begin(*self.words, *self.other.words)
        self._back = False
        self.scene.is_down = self._had_no_code = self.scene.is_broken_on_disk
        if not self.scene.is_broken_on_disk:
            self._see_it_back()

    def _see_it_back(self) -> None:
        self.scene.until(lambda: "Ctrl-C stops" in self.stage.run.stderr(), "it serves again")
        self.scene.deaths.append((self.began, self.scene.clients.recovered(time.monotonic())))
        self._back = True

    def heal(self) -> None:
        if not self._back:
            code = self.stage.run.process.wait(60)
            self.scene.expect(
                code == IMPORT_FAILED, f"a start of code that cannot be imported ended with {code}"
            )
            self.mend_code()
            self.stage.begin(*self.words, *self.other.words)
            self._see_it_back()

    def may_fail(self, asked: Asked) -> bool:
        """New connections wait for the next start."""
        is_exposed = asked.is_kept or self._had_no_code or was_held(asked, [(self.began, self.closed)])
        return self.scene.is_lost_with_the_site(asked) and is_exposed


class Portico(_Ends):
    key = "portico"

    def end(self) -> None:
        os.kill(self.stage.run.process.pid, signal.SIGKILL)
        self.stage.run.process.wait()


class Restart(_Ends):
    key = "restart"

    def end(self) -> None:
        """The other one's request for a reload may be in progress."""
        self.stage.run.process.send_signal(signal.SIGTERM)
        self.stage.run.process.wait(120)


class RuntimeGone(_Ends):
    """Portico ends with words: nginx cannot reach the app, and no command finds the site."""

    key = "runtime-gone"

    def end(self) -> None:
        runtime = self.stage.run.runtime
        while runtime.exists():  # files come and go while they are removed
            shutil.rmtree(runtime, ignore_errors=True)
        code = self.stage.run.process.wait(60)
        words = self.stage.run.stderr()
        self.scene.expect(
            code != 0 and "was removed while the site ran" in words, f"exit code {code}: {words[-5000:]}"
        )

    def may_fail(self, asked: Asked) -> bool:
        return self.scene.is_lost_with_the_site(asked)


class DiskFull(Harm):
    """For logs and bodies, on a small file system; see `pairs.scene`."""

    key = "disk"
    needs_root = True

    def strike(self) -> None:
        self._ballast = self.stage.home / "state" / "ballast"
        fill(self._ballast)
        if not self.other.ends_site:
            self.scene.until(lambda: FULL in self.stage.run.stderr(), "it is said that the disk is full")

    def heal(self) -> None:
        self._ballast.unlink()


# Transfers -------------------------------------------------------------------------------------------------------


class _Transfer(Harm):
    """Half of it is done when the other harm comes, and the rest when that is over."""

    def strike(self) -> None:
        self.connection = http.client.HTTPConnection("127.0.0.1", self.stage.port, timeout=60)
        self.begin()

    def settle(self) -> None:
        try:
            found = self.finish()
        except (OSError, http.client.HTTPException) as error:
            self.scene.expect(self.other.cuts_transfers, f"the {self.key}: {error!r}")
        else:
            self.scene.expect(not found or self.other.cuts_transfers, f"the {self.key}: {found}")
            self.look()
        self.connection.close()

    def begin(self) -> None:
        raise NotImplementedError

    def finish(self) -> str:
        """What is wrong with how it ended. Raises OSError and HTTPException."""
        raise NotImplementedError

    def look(self) -> None:
        """What must be so however it ended."""


class Download(_Transfer):
    key = "download"

    def begin(self) -> None:
        self.connection.request("GET", "/static/many.txt")
        self._answer = self.connection.getresponse()
        self._read = len(self._answer.read(1000))

    def finish(self) -> str:
        self._read += len(self._answer.read())
        return "" if self._read == len(MANY) else f"{self._read} bytes came"


class Upload(_Transfer):
    key = "upload"

    def begin(self) -> None:
        self.connection.putrequest("POST", "/")
        self.connection.putheader("Content-Length", str(len(LETTER)))
        self.connection.endheaders(LETTER[:9000].encode())

    def finish(self) -> str:
        self.connection.send(LETTER[9000:].encode())
        self._status = self.connection.getresponse().status
        return "" if self._status == 200 else f"it was answered {self._status}"

    def look(self) -> None:
        executed = len(self.stage.posts().get(LETTER, []))
        self.scene.expect(executed == (self._status == 200), f"the upload was executed {executed} times")


HARMS: tuple[type[Harm], ...] = (
    DiskFull, Recycling, Download, Upload, StoppedWorker,
    RefusedReload, Reload, Configuration, Rollback,
    AppWorker, Arbiter, NginxWorker, NginxMaster, Portico, Restart, RuntimeGone,
)  # fmt: skip
"""In the order in which the two of a pair begin: what lasts comes before what takes a moment."""


def files() -> dict[str, str]:
    return {"portico.toml": CONFIGURATION.format(mark="0"), "static/many.txt": MANY}
