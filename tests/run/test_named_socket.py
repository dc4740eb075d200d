"""The socket that a user names for a gateway elsewhere (`node.socket`): no other server loses its own."""

from __future__ import annotations

import socket
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from portico.errors import PorticoError
from portico.run.sockets import switch


def refuse(path: Path, *, has_gateway: bool = False) -> None:
    plan: Any = SimpleNamespace(socket=str(path), has_gateway=has_gateway)
    switch.refuse_taken(plan)


@pytest.mark.parametrize("waiting", [0, 2])
def test_a_socket_at_which_another_server_answers_is_refused(waiting: int, tmp_path: Path) -> None:
    """Also one whose queue is full."""
    path = tmp_path / "app.sock"
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen(0)
        clients = [socket.socket(socket.AF_UNIX) for _ in range(waiting)]
        for client in clients:
            client.setblocking(False)
            client.connect_ex(str(path))
        with pytest.raises(PorticoError, match="another server answers there"):
            refuse(path)
        refuse(path, has_gateway=True)
        for client in clients:
            client.close()


def test_a_socket_of_nobody_is_ours(tmp_path: Path) -> None:
    path = tmp_path / "app.sock"
    refuse(path)
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(path))
    refuse(path)
