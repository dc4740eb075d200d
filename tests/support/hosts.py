"""Hosts that a test makes of namespaces: each has its own address and its own directory, and a bridge joins them.

The bridge is in a network namespace of the test's own, so no name, address or port meets another test or the machine.
Nothing has to be removed: the kernel does that when the last process there has ended.
"""

from __future__ import annotations

import ctypes
import os
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.support.process import PIPE, running

_BRIDGE, _CLONE_NEWNET = "lan", 0x40000000


@dataclass(frozen=True)
class Host:
    address: str
    pid: int
    """Of the process that keeps its namespaces."""

    def runs(self, command: str) -> list[str]:
        """An argv that runs that command of sh there, until this process ends."""
        there = ["nsenter", f"--target={self.pid}", "--net", "--mount", "--"]
        return ["setpriv", "--pdeathsig=TERM", *there, "sh", "-c", command]


def are_possible() -> bool:
    """Whether this machine lets this user make them."""
    asked = (
        "ip link add lan type bridge && ip link add to-a type veth peer name to-b && mount -t tmpfs none /mnt"
    )
    done = subprocess.run(
        ["unshare", "--net", "--mount", "sh", "-c", asked], capture_output=True, check=False
    )
    return not done.returncode


@contextmanager
def network(address: str) -> Iterator[None]:
    """A host of that address: this thread, and each thread and program that it starts within the block.

    Not `served` and `portico`: theirs are forks of a process that began elsewhere, or would begin here and stay.
    """
    before = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
    try:
        _call("unshare", _CLONE_NEWNET)
        try:
            for words in ("set lo up", f"add {_BRIDGE} type bridge", f"set {_BRIDGE} up"):
                _run(["ip", "link", *words.split()])
            _run(["ip", "address", "add", f"{address}/24", "dev", _BRIDGE])
            yield
        finally:
            _call("setns", before, _CLONE_NEWNET)
    finally:
        os.close(before)


@contextmanager
def host(name: str, address: str, directory: Path, mount: Path) -> Iterator[Host]:
    """Another one in the network that this thread is in. It sees `directory` at `mount`."""
    # It ends with its standard input, so also with a test that is killed.
    keeps = f"mount --bind {directory} {mount} && ip link set lo up && echo there && exec cat"
    argv = ["unshare", "--net", "--mount", "sh", "-c", keeps]
    with running(argv, stdin=PIPE, stdout=PIPE) as keeper:
        assert keeper.stdout
        assert keeper.stdout.readline() == "there\n"
        made = Host(address, keeper.pid)
        for words in (
            f"add to-{name} type veth peer eth0 netns {keeper.pid}",
            f"set to-{name} master {_BRIDGE} up",
        ):
            _run(["ip", "link", *words.split()])
        _run(made.runs(f"ip address add {address}/24 dev eth0 && ip link set eth0 up"))
        yield made


def _run(argv: Sequence[str]) -> None:
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert not done.returncode, f"{argv}: {done.stderr}"


def _call(name: str, *words: int) -> None:
    """Of the C library; `os` has these since Python 3.12. Raises OSError."""
    if getattr(ctypes.CDLL(None, use_errno=True), name)(*words):
        number = ctypes.get_errno()
        raise OSError(number, f"{name}: {os.strerror(number)}")
