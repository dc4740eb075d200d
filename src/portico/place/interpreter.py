"""The Python of the app: Portico's own, or that of another environment, which has the app's packages."""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from msgspec import Struct, field

from portico.app_servers.start import WEBSOCKETS, asks
from portico.errors import Problem, UsageError

OWN = "portico"
"""The value of the option that means Portico's own."""
OLDEST = (3, 11)
_BESIDE = (".venv", "venv")
_NEEDED = ("portico", "gunicorn", "packaging", WEBSOCKETS)
"""What the app's processes import of Portico's environment; the first is where `link/start.py` is."""
_SECONDS, _TICK_SECONDS = 30.0, 0.05
_LONGEST, _QUOTED = 1 << 16, 2000
"""Bytes that are read, and characters of them that are shown."""
_ASK = """
import json, os, sys
found = {}
for folder in filter(os.path.isdir, sys.path):
    for name in os.listdir(folder):
        package, _, rest = name.partition("-")
        if rest.endswith(".dist-info") and package.lower() in sys.argv[1:]:
            found.setdefault(package.lower(), rest[:-10])
print(json.dumps({"version": list(sys.version_info[:3]), "packages": found, "path": sys.path}))
"""
"""Any Python understands it. `importlib.metadata` would take five times as long."""


class Interpreter(Struct, frozen=True):
    """`path` is empty for Portico's own, and `why` says where another one is named. `unusable` is an environment beside
    the app whose Python leads nowhere.
    """

    path: str = ""
    why: str = ""
    unusable: str = ""
    package_path: tuple[str, ...] = ()
    """The directories of Portico's packages, Portico's first; empty for Portico's own."""

    @property
    def program(self) -> str:
        return self.path or sys.executable

    @property
    def asks(self) -> tuple[str, ...]:
        """The command that asks the app; empty for Portico's own Python."""
        return asks(self.path, self.package_path)


class Versions(Struct, frozen=True):
    """What an interpreter says of itself: its version, and those of the packages that were asked for."""

    version: tuple[int, ...] = ()
    packages: Mapping[str, str] = field(default_factory=dict)
    path: tuple[str, ...] = ()
    """Where it finds packages."""


def interpreter(wanted: str, directory: Path, where: str, prefix: str = sys.prefix) -> Interpreter:
    """The one that the option `wanted` names, or that is beside the app in `directory`. Raises UsageError.

    The links of an environment's own directory are resolved: a release keeps the one that it began with.
    """
    if wanted == OWN:
        return Interpreter()
    if wanted:
        return _of(_named(wanted, directory, where), prefix, where)
    return _beside(directory, prefix)


def _named(wanted: str, directory: Path, where: str) -> Path:
    path = directory / wanted
    try:
        path = path / "bin" / "python" if path.is_dir() else path
        path.stat()
    except FileNotFoundError:
        what = f"there is no {path}"
    except OSError as error:
        what = f"{path}: {error.strerror}"
    else:
        return path
    hint = f"make the environment: python3 -m venv {directory / '.venv'}, or name another one"
    raise UsageError(Problem(where, f'python: "{wanted}": {what}', hint))


def _beside(directory: Path, prefix: str) -> Interpreter:
    found = [directory / name for name in _BESIDE if _is_environment(directory / name)]
    if any(_is_same(one, prefix) for one in found):
        return Interpreter()
    whole = [path for one in found if _exists(path := one / "bin" / "python")]
    if whole:
        return _of(whole[0], prefix, "beside the app")
    return Interpreter(unusable=str(found[0]) if found else "")


def _of(path: Path, prefix: str, why: str) -> Interpreter:
    # bin/python itself is a link to the Python that made the environment: it is not followed.
    environment = path.absolute().parent.parent
    if _is_environment(environment):
        if _is_same(environment, prefix):
            return Interpreter()
        path = environment.resolve() / "bin" / path.name
    elif path.resolve() == Path(sys.executable).resolve() and prefix == sys.base_prefix:
        return Interpreter()
    return Interpreter(str(path.absolute()), why, package_path=_package_path())


def _is_environment(directory: Path) -> bool:
    """Also one that this user may not enter: it is named as unusable, not passed over."""
    try:
        return (directory / "pyvenv.cfg").exists()
    except PermissionError:
        return True
    except OSError:
        return False


def _is_same(environment: Path, prefix: str) -> bool:
    return environment.resolve() == Path(prefix).resolve()


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except OSError:
        return False


def _package_path() -> tuple[str, ...]:
    return tuple(dict.fromkeys(_directories()))


def _directories() -> Iterator[str]:
    for name in _NEEDED:
        spec = find_spec(name)
        if spec is not None and spec.origin:
            yield str(Path(spec.origin).parents[1])


def versions(path: str, packages: Sequence[str], where: str, who: Mapping[str, Any]) -> Versions:
    """Asks that interpreter, as the app's user: `who` is for Popen. Raises UsageError if it cannot be used."""
    try:
        text, code = _said([path, "-c", _ASK, *packages], who)
    except OSError as error:
        raise _unusable(path, where, f"cannot be run: {error.strerror}") from None
    try:
        said = json.loads(next((line for line in reversed(text.splitlines()) if line.startswith("{")), ""))
        found = Versions(
            tuple(map(int, said["version"])),
            {str(name): str(one) for name, one in dict(said["packages"]).items()},
            tuple(map(str, said["path"])),
        )
    except (ValueError, KeyError, TypeError, OverflowError, RecursionError):
        end = "it did not end" if code is None else f"exit code {code}"
        raise _unusable(path, where, f"did not answer ({end}): is it a Python?", text) from None
    if found.version < OLDEST:
        has, wanted = (".".join(map(str, one)) for one in (found.version, OLDEST))
        raise _unusable(path, where, f"is Python {has}, and Portico's workers need {wanted}")
    return found


def _said(argv: Sequence[str], who: Mapping[str, Any]) -> tuple[str, int | None]:
    """What a program prints, and its exit code; None if it had to be ended. Raises OSError.

    Under root it is the app's user's: it may print for ever, or leave a child that holds its output open.
    """
    give_up = time.monotonic() + _SECONDS
    output, end = os.pipe()
    try:
        # In the root directory: nobody has modules there that would be imported.
        child = subprocess.Popen(
            argv, cwd="/", stdin=subprocess.DEVNULL, stdout=end, stderr=end, start_new_session=True, **who
        )
    except OSError:
        os.close(output)
        raise
    finally:
        os.close(end)
    try:
        text = _read(child, output, give_up)
        with suppress(subprocess.TimeoutExpired):
            child.wait(0 if len(text) >= _LONGEST else max(0.0, give_up - time.monotonic()))
        return text.decode(errors="replace").strip()[-_QUOTED:], child.returncode
    finally:
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(child.pid, signal.SIGKILL)
        child.wait()
        os.close(output)


def _read(child: subprocess.Popen[bytes], output: int, give_up: float) -> bytes:
    poll = select.poll()
    poll.register(output, select.POLLIN)
    text = b""
    while time.monotonic() < give_up and len(text) < _LONGEST:
        has_ended = child.poll() is not None
        if poll.poll(0 if has_ended else _TICK_SECONDS * 1000):
            piece = os.read(output, 4096)
            text += piece
            if not piece:
                break
        elif has_ended:
            break
    return text


def _unusable(path: str, where: str, what: str, quote: str = "") -> UsageError:
    hint = f'make its environment again, or name another one with python; "{OWN}" is the one that Portico runs in'
    return UsageError(Problem(where, f"{path} {what}", hint, quote))
