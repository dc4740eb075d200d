"""Actions: the machine decides on them and the loop performs them. Values only."""

from __future__ import annotations

from enum import StrEnum

from msgspec import Struct

from portico.errors import Problem
from portico.protocol.notices import Notice


class StopMode(StrEnum):
    """How a process is asked to exit; each mode is stronger than the previous one."""

    DRAIN = "drain"
    """Stop accepting, finish the requests in progress, and exit."""
    HURRY = "hurry"
    """Exit now, cleanly."""
    CLOSE = "close"
    """Close the clients' connections, so that the gateway logs each unfinished request, and exit."""
    KILL = "kill"
    """Kill the whole process group at once."""


class SetBooting(Struct, frozen=True):
    """Set or remove the flag that makes the gateway say "starting" instead of "down"."""

    on: bool


class CheckFiles(Struct, frozen=True):
    """Write the files to a new directory and let the gateway test them: FilesAccepted or FilesRefused."""

    number: int


class UseFiles(Struct, frozen=True):
    """Point the gateway's configuration at this release's files."""

    number: int


class Prepare(Struct, frozen=True):
    """Run the command before this release: Prepared or NotPrepared."""

    number: int


class Conclude(Struct, frozen=True):
    """Run the command after this release, which serves. Nothing waits for its end."""

    number: int


class EndConclude(Struct, frozen=True):
    """End the command after this release, or start it no more; nothing happens if it has ended. `why` is for people."""

    number: int
    mode: StopMode
    why: str


class StartAppServer(Struct, frozen=True):
    number: int


class EndAppServer(Struct, frozen=True):
    number: int
    mode: StopMode


class AskAppServer(Struct, frozen=True):
    """Ask until `answers` good ones came in a row: AppServerWell, and AppServerAnswered for each bad one.

    If one is enough, an error by the app itself also ends the asking: AppServerAnswered with `is_up`.
    """

    number: int
    answers: int


class MakeLive(Struct, frozen=True):
    """Link this release's socket to the paths the gateway connects to, and the canary's socket to `tenths` of them."""

    number: int
    canary: int = 0
    tenths: int = 0


class TakeDown(Struct, frozen=True):
    """Remove the live path, so that clients get an answer at once instead of waiting in the backlog."""


class EmptyQueue(Struct, frozen=True):
    """Close the connections that wait at the socket of a release whose server has ended: nothing will read them."""

    number: int


class WatchQueue(Struct, frozen=True):
    """Report when nothing waits at this release's socket any more: QueueEmpty."""

    number: int


class Forget(Struct, frozen=True):
    """The release is gone: remove its socket and stop asking it."""

    number: int


class StartBackground(Struct, frozen=True):
    """Start the background process `name` of the release `number`; its end is told by this id."""

    id: int
    number: int
    name: str


class EndBackground(Struct, frozen=True):
    id: int
    mode: StopMode


class StartGateway(Struct, frozen=True):
    pass


class ReloadGateway(Struct, frozen=True):
    pass


class EndGateway(Struct, frozen=True):
    """Stop listening and stop the gateway, if it runs."""

    mode: StopMode


class SayGoodbye(Struct, frozen=True):
    """Tell the sites behind the gateway that it will exit: clients of WebSockets get Close 1001 before the cut."""


class AskGateway(Struct, frozen=True):
    """GatewayWell when the app answers well through the gateway; with `is_alone` when the gateway itself answers."""

    is_alone: bool = False


class MakePlan(Struct, frozen=True):
    """Make a new plan: Planned or PlanRefused. `path` is the directory of the code; empty: unchanged."""

    number: int
    path: str = ""


class Say(Struct, frozen=True):
    notice: Notice


class Exit(Struct, frozen=True):
    """Everything has exited; a failure carries its problems."""

    code: int
    problems: tuple[Problem, ...] = ()


Action = (
    SetBooting | CheckFiles | UseFiles | Prepare | Conclude | EndConclude | StartAppServer | EndAppServer | AskAppServer
    | MakeLive | TakeDown | EmptyQueue | WatchQueue | Forget | StartBackground | EndBackground
    | StartGateway | ReloadGateway | EndGateway | SayGoodbye | AskGateway | MakePlan | Say | Exit
)  # fmt: skip
