"""A rolling release as it runs: its stops, the output of its steps, and a terminal that goes away."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from portico.export.fleet import script
from portico.plan.fleet import Fleet, Host
from portico.run import fleet as runs
from portico.run.fleet import MOST_OUTPUT, Left, Outcome, Progress, Result, finished, release
from tests.support import environment, write_files
from tests.support.process import running
from tests.support.until import until

WORDS: list[str | Path] = [Path(sys.prefix) / "bin" / "portico", "fleet", "release", "42", "--json"]
TOML = 'fleet = "/srv/shop"\nupstream = ["127.0.0.1:9", "127.0.0.2:9"]\n'


def test_no_more_than_the_end_of_a_long_output_is_kept() -> None:
    code, output = finished(
        ["sh", "-s"], "head -c 3000000 /dev/zero | tr '\\0' x; echo; echo why; exit 3", _never
    )
    assert (code, len(output), output[-5:]) == (3, MOST_OUTPUT, "\nwhy\n")


def test_what_a_step_leaves_in_the_background_does_not_hold_it() -> None:
    code, output = finished(["sh", "-s"], "sleep 600 & echo $!", _never)
    os.kill(int(output), signal.SIGKILL)  # it is still there
    assert code == 0


def test_a_step_is_ended_with_what_it_started(tmp_path: Path) -> None:
    begun = tmp_path / "begun"
    code, output = finished(
        ["sh", "-s"], f"sleep 600 & echo $! >{begun}.new; mv {begun}.new {begun}; wait", begun.exists
    )
    assert (code, output.strip()) == (143, "ended before it had finished: a stop was asked for again")
    until(lambda: not _lives(int(begun.read_text())))


def _lives(pid: int) -> bool:
    try:
        return " Z " not in Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False


def _never() -> bool:
    return False


HOSTS = (Host("a", "ON=a"), Host("b", "ON=b"))


@pytest.fixture
def fleet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Fleet:
    """Its hosts are one directory here, which `env` reaches as `ssh` would. A reload waits until there is a file."""
    monkeypatch.setattr(runs, "SSH", ("env",))
    for name in ("1", "2"):
        (tmp_path / "releases" / name).mkdir(parents=True)
    (tmp_path / "current").symlink_to("releases/1")
    program = tmp_path / "program"
    program.write_text(
        f'#!/bin/sh\ncd {tmp_path}\necho "$1 $(readlink current)" >>log\n'
        '[ "$1" != reload ] || [ -e quick ] || { touch reloading; exec sleep 600; }\n'
    )
    program.chmod(0o755)
    return Fleet("shop", HOSTS, str(tmp_path), "", str(program), "", str(program))


def test_a_stop_is_heeded_before_the_first_host_is_asked(fleet: Fleet) -> None:
    assert list(release(fleet, "2", lambda: 1)) == [Result("2", dict.fromkeys("ab", Left.UNTOUCHED))]


def test_a_second_stop_ends_the_step_and_its_host_gets_the_old_release(fleet: Fleet, tmp_path: Path) -> None:
    def stops() -> int:
        if not (tmp_path / "reloading").exists():
            return 0
        (tmp_path / "quick").touch()
        return 2

    *steps, result = release(fleet, "2", stops)
    assert result == Result("2", {"a": Left.ROLLED_BACK, "b": Left.UNTOUCHED})
    log = (tmp_path / "log").read_text().splitlines()
    old, new = "releases/1", "releases/2"
    assert log == [
        f"status {old}", f"status {old}", f"status {old}", f"drain {old}", f"reload {new}", f"reload {old}",
        f"drain {old}",
    ]  # fmt: skip
    failed = [one for one in steps if isinstance(one, Progress) and one.outcome is Outcome.FAILED]
    assert [(one.step, one.code) for one in failed] == [("release", 143)]


def test_two_releases_do_not_run_at_once_and_the_lock_goes_with_who_holds_it(
    fleet: Fleet, tmp_path: Path
) -> None:
    (tmp_path / "quick").touch()
    first = release(fleet, "2", lambda: 0)
    assert isinstance(next(first), Progress)
    begun = next(first)
    assert isinstance(begun, Progress)
    assert (begun.step, begun.outcome) == ("lock", Outcome.DONE)
    *_, refused, result = release(fleet, "2", lambda: 0)
    assert isinstance(refused, Progress)
    assert "another release runs" in refused.output
    assert result == Result("2", dict.fromkeys("ab", Left.UNTOUCHED))
    by_script = _run_script(fleet, tmp_path)
    assert by_script.returncode == 1
    assert "another release runs" in by_script.stderr
    assert "nothing was changed, on no host" in by_script.stderr
    first.close()  # type: ignore[attr-defined]
    done = _run_script(fleet, tmp_path)
    assert (done.returncode, done.stdout.splitlines()[-1]) == (0, "released 2"), done.stderr
    assert list(release(fleet, "1", lambda: 0))[-1] == Result("1", dict.fromkeys("ab", Left.NEW))


def _run_script(fleet: Fleet, directory: Path) -> subprocess.CompletedProcess[str]:
    """With a program in place of ssh that runs the command here."""
    write_files(directory, {
        "bin/ssh": '#!/bin/sh\nwhile [ "${1#-}" != "$1" ]; do shift; done\nshift\nexec "$@"\n',
        "release": script(fleet).content,
    })  # fmt: skip
    (directory / "bin" / "ssh").chmod(0o755)
    path = {"PATH": f"{directory}/bin:{os.environ['PATH']}"}
    return subprocess.run(
        ["sh", directory / "release", "2"], env=os.environ | path, capture_output=True, text=True, timeout=120,
        check=False,
    )  # fmt: skip


def _home(directory: Path, ssh: str) -> dict[str, str]:
    """The variables of who types there, with that script as `ssh`; it leaves the file `asked`."""
    write_files(directory, {"portico.toml": TOML, "bin/ssh": f"#!/bin/sh\ntouch {directory}/asked\n{ssh}\n"})
    (directory / "bin" / "ssh").chmod(0o755)
    return environment(directory) | {"PATH": f"{directory}/bin:{os.environ['PATH']}"}


def test_a_release_goes_on_when_nobody_reads_what_it_prints(tmp_path: Path) -> None:
    env, err = _home(tmp_path, "exit 255"), tmp_path / "err"
    reads, writes = os.pipe()
    os.close(reads)
    with (
        os.fdopen(writes, "w") as nowhere,
        running(WORDS, cwd=tmp_path, env=env, stdout=nowhere, stderr=err) as program,
    ):
        assert program.wait(60) == 1
    assert (tmp_path / "asked").exists()
    assert err.read_text() == ""


def test_a_closed_terminal_is_a_first_stop_and_the_second_ends_the_step_of_a_host_that_hangs(
    tmp_path: Path,
) -> None:
    env, out, err = _home(tmp_path, "exec sleep 60"), tmp_path / "out", tmp_path / "err"
    with running(WORDS, cwd=tmp_path, env=env, stdout=out, stderr=err, number=signal.SIGKILL) as program:
        until((tmp_path / "asked").exists)
        for _ in range(2):
            program.send_signal(signal.SIGHUP)
        program.send_signal(signal.SIGINT)
        assert program.wait(50) == 1, err.read_text()
    lines = [json.loads(line) for line in out.read_text().splitlines()]
    assert [one.get("outcome") for one in lines] == ["begun", "failed", None]
    assert set(lines[-1]["servers"].values()) == {"untouched"}
