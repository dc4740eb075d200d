"""What was appended to a file, whole lines only, or a part of it when there is too much."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from portico.watch.follow import Follower
from tests.support import private_directory


@given(st.lists(st.binary(max_size=9000).map(lambda words: words.replace(b"\n", b"")), min_size=1), st.data())
def test_what_is_passed_over_ends_with_a_line(lines: list[bytes], data: st.DataObject) -> None:
    whole = b"".join(line + b"\n" for line in lines)
    with private_directory() as directory:
        path = directory / "log"
        path.write_bytes(b"")
        follower = Follower(path)
        path.write_bytes(whole)
        assert follower.waiting() == len(whole)
        size = data.draw(st.integers(0, len(whole)))
        follower.pass_over(size)
        rest = follower.text()
        assert whole.endswith(rest)
        assert not rest or whole[: -len(rest) or None].endswith(b"\n") or rest == whole
        left_out = len(whole) - len(rest)
        assert left_out >= size
        assert left_out - size <= max(map(len, lines)) + 1
        assert follower.waiting() == 0


def test_a_part_is_read_and_then_the_rest() -> None:
    with private_directory() as directory:
        path = directory / "log"
        path.write_bytes(b"one\n")
        follower = Follower(path, from_start=True)
        assert follower.text() == b"one\n"
        with path.open("ab") as log:
            log.write(b"two\nthr")
            log.flush()
            assert follower.text() == b"two\n"
            log.write(b"ee\n")
            log.flush()
        assert follower.text() == b"three\n"
