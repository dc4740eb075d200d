"""The table of commands: what a socket answers to is in it, and arguments come through as they were."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import pytest

from portico.errors import PorticoError
from portico.protocol import commands
from portico.protocol.answers import DrainStep, Purged
from portico.protocol.commands import COMMANDS, Command, DrainServer, Who, handled
from portico.run.control import client, server


def test_the_table_has_every_command_once() -> None:
    declared = [each for each in vars(commands).values() if isinstance(each, Command)]
    assert sorted(each.name for each in declared) == sorted(each.name for each in COMMANDS)
    assert len({each.name for each in COMMANDS}) == len(COMMANDS)


def test_an_app_may_only_purge() -> None:
    assert [each for each in COMMANDS if each.who is Who.APP] == [commands.PURGE]


def _asked(runtime: Path, command: Command[Any, Any], args: Any = None) -> list[Any]:
    """What a socket with two handlers answers."""

    async def drain(asked: DrainServer) -> AsyncGenerator[DrainStep, None]:
        yield DrainStep(asked.server, "returning" if asked.undo else "draining")

    async def purge(_: commands.Purge) -> AsyncGenerator[Purged, None]:
        yield Purged(2)
        raise PorticoError

    async def go() -> list[Any]:
        handlers = [handled(commands.DRAIN, drain), handled(commands.PURGE, purge)]
        listening = await server.listen(server.path(str(runtime)), handlers)
        async with listening:
            return await asyncio.to_thread(lambda: list(client.ask(str(runtime), command, args)))

    return asyncio.run(go())


@pytest.mark.parametrize("undo", [True, False])
def test_arguments_and_answers_are_the_same_at_both_ends(tmp_path: Path, undo: bool) -> None:
    asked = DrainServer("höhe & 8", undo)
    step = DrainStep("höhe & 8", "returning" if undo else "draining")
    assert _asked(tmp_path, commands.DRAIN, asked) == [step]


def test_what_fails_after_the_first_line_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(PorticoError):
        _asked(tmp_path, commands.PURGE, commands.Purge("/x"))


def test_an_answer_of_another_version_says_so(tmp_path: Path) -> None:
    other: Command[Any, DrainStep] = Command("POST /purge", commands.Purge, DrainStep)
    with pytest.raises(PorticoError, match="another version"):
        _asked(tmp_path, other, commands.Purge("/x"))


def test_an_argument_of_the_wrong_kind_is_refused(tmp_path: Path) -> None:
    class Loud(commands.Args, frozen=True):
        undo: str = ""

    loud: Command[Any, Any] = Command("POST /drain", Loud, DrainStep)
    with pytest.raises(PorticoError, match="Expected `bool`"):
        _asked(tmp_path, loud, Loud("perhaps"))
