"""Where the frames of a WebSocket end, however the app cuts what it sends."""

from __future__ import annotations

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from portico.link.websocket.frames import Frames

HANDSHAKE = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n"


def frame(opcode: int, payload: bytes) -> bytes:
    size = len(payload)
    if size < 126:
        return bytes([128 | opcode, size]) + payload
    if size < 65536:
        return bytes([128 | opcode, 126]) + size.to_bytes(2, "big") + payload
    return bytes([128 | opcode, 127]) + size.to_bytes(8, "big") + payload


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.lists(st.sampled_from([0, 1, 125, 126, 127, 65535, 65536]), max_size=4),
    st.lists(st.integers(1, 70_000), max_size=12),
)
def test_a_boundary_is_where_a_frame_ends(sizes: list[int], cuts: list[int]) -> None:
    frames = [frame(2, b"x" * size) for size in sizes]
    data, ends, at = HANDSHAKE + b"".join(frames), {len(HANDSHAKE)}, len(HANDSHAKE)
    for one in frames:
        at += len(one)
        ends.add(at)
    followed, sent = Frames(), 0
    for cut in [*cuts, 1, 2, 3, len(data)]:
        piece = data[sent : sent + cut]
        followed.follow(piece)
        sent += len(piece)
        assert followed.at_boundary == (sent in ends), sent
    assert not followed.has_closed


def test_an_answer_that_is_no_handshake_has_no_frames() -> None:
    frames = Frames()
    frames.follow(b"HTTP/1.1 400 Bad Request\r\n\r\nno")
    assert not frames.at_boundary


def test_the_app_s_own_goodbye_is_seen() -> None:
    frames = Frames()
    frames.follow(HANDSHAKE + frame(8, b"\x03\xe8"))
    assert frames.has_closed
