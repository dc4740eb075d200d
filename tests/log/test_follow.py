"""What was appended to a file: whole lines, each once and in order, or a part of them when there is too much."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portico.log import follow
from portico.log.follow import PIECE, Follower
from tests.support import private_directory

WORDS = st.binary(max_size=9000).map(lambda words: words.replace(b"\n", b""))


@pytest.fixture
def path() -> Iterator[Path]:
    with private_directory() as directory:
        yield directory / "log"


def append(path: Path, text: bytes) -> None:
    with path.open("ab") as log:
        log.write(text)


def numbered(begin: int, end: int) -> bytes:
    return b"".join(b"%08d%s\n" % (n, b"x" * 200) for n in range(begin, end))


def all_of(follower: Follower) -> bytes:
    found = b""
    while text := follower.text(PIECE):
        found += text
    return found


@given(st.lists(WORDS, min_size=1), WORDS, st.data())
def test_what_is_passed_over_ends_with_a_line(lines: list[bytes], half: bytes, data: st.DataObject) -> None:
    whole = b"".join(line + b"\n" for line in lines)
    with private_directory() as directory:
        path = directory / "log"
        path.write_bytes(b"")
        follower = Follower(path)
        append(path, whole + half)
        size = data.draw(st.integers(0, follower.waiting()))
        follower.pass_over(size)
        found = follower.text()
        assert follower.waiting() == 0
        append(path, b"rest\nlast\n")
        found += follower.text()
        whole += half + b"rest\nlast\n"
        assert whole.endswith(b"\n" + found) or found == whole
        assert 0 <= len(whole) - len(found) - size <= max(map(len, [*lines, half + b"rest"]))


def test_a_part_is_read_and_then_the_rest(path: Path) -> None:
    append(path, b"one\n")
    follower = Follower(path, from_start=True)
    assert follower.text() == b"one\n"
    append(path, b"two\nthr")
    assert follower.text() == b"two\n"
    append(path, b"ee\n")
    assert follower.text() == b"three\n"


def test_a_line_longer_than_what_is_read_at_once_holds_up_nothing(path: Path) -> None:
    follower = Follower(path)
    lines = b"a" * 3 * PIECE + b"\nb\n"
    append(path, lines)
    found = b""
    for _ in range(10):
        found += follower.text(PIECE)
    assert found == lines


def test_files_put_aside_meanwhile_are_read_in_their_order(path: Path) -> None:
    """As long as somebody looks at how much waits at least once for each."""
    path.write_bytes(b"")
    follower = Follower(path)
    for number in range(5):
        append(path, numbered(number * 2000, number * 2000 + 2000 // (number + 1)))
        assert follower.waiting()
        path.rename(path.with_name(f"log.{number}"))
    append(path, numbered(10_000, 10_010))
    assert all_of(follower) == b"".join(
        (path.with_name(name)).read_bytes() for name in [*(f"log.{number}" for number in range(5)), "log"]
    )


def test_late_lines_of_a_file_put_aside_are_read(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path.write_bytes(b"")
    follower = Follower(path)
    path.rename(path.with_name("log.1"))
    append(path, b"new\n")
    assert follower.text() == b"new\n"
    append(path.with_name("log.1"), b"late\n")
    assert follower.text() == b"late\n"
    monkeypatch.setattr(follow, "_LATE_SECONDS", 0.0)
    path.rename(path.with_name("log.2"))
    append(path, b"newer\n")
    assert follower.text() == b"newer\n"
    append(path.with_name("log.2"), b"too late\n")
    assert follower.text() == b""


def test_a_file_that_is_cut_is_read_from_its_beginning_and_once(path: Path) -> None:
    follower = Follower(path)
    append(path, b"a long first line\nand half a")
    assert follower.text() == b"a long first line\n"
    found = b""
    path.write_bytes(b"")
    for number in range(20):
        append(path, b"%d\n" % number)
        found += follower.text()
    assert found.split() == [b"%d" % number for number in range(20)]


def test_all_can_be_passed_over_in_several_files(path: Path) -> None:
    append(path, numbered(0, 1000))
    follower = Follower(path, from_start=True)
    assert follower.waiting()
    path.rename(path.with_name("log.1"))
    append(path, numbered(1000, 2000) + b"hal")
    follower.pass_over(follower.waiting())
    assert follower.waiting() == 0
    append(path, b"f\nwhole\n")
    assert follower.text() == b"whole\n"


def test_files_put_aside_are_not_held_open_without_end(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(follow, "_LATE_SECONDS", 0.0)
    path.write_bytes(b"")
    follower = Follower(path)
    for number in range(50):
        path.rename(path.with_name(f"log.{number}"))
        append(path, b"new\n")
        for old in range(number + 1):
            append(path.with_name(f"log.{old}"), b"kept\n")
        follower.waiting()
    ours = [
        link for link in Path("/proc/self/fd").iterdir() if link.is_symlink() and _leads_to(link, path.parent)
    ]
    assert 1 < len(ours) <= 20


def _leads_to(link: Path, directory: Path) -> bool:
    try:
        return link.readlink().is_relative_to(directory)
    except OSError:
        return False
