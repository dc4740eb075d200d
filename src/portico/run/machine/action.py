"""What to do: what the machine decides and the loop performs. Values only."""

from __future__ import annotations

from enum import StrEnum

from msgspec import Struct

from portico.errors import Problem
from portico.protocol.notices import Notice


class StopMode(StrEnum):
    """How a process is asked to leave; each is stronger than the one before it."""

    DRAIN = "drain"
    """stop accepting, finish what is in hand, leave."""
    HURRY = "hurry"
    """leave now, politely."""
    CLOSE = "close"
    """close the clients' connections, so that each unfinished request is logged, and leave."""
    KILL = "kill"
    """the whole process group, at once."""


class SetBooting(Struct, frozen=True):
    """Raise or lower the flag that makes nginx say "starting" instead of "down"."""

    on: bool


class CheckFiles(Struct, frozen=True):
    """Write the files to a fresh directory and let nginx read them: FilesAccepted or FilesRefused."""

    number: int


class UseFiles(Struct, frozen=True):
    """Point nginx's configuration at this release's files."""

    number: int


class StartAppServer(Struct, frozen=True):
    number: int


class EndAppServer(Struct, frozen=True):
    number: int
    mode: StopMode


class AskAppServer(Struct, frozen=True):
    """Ask until `answers` good ones came in a row: AppServerWell, and AppServerAnswered for each bad one.

    Where one is enough, an error of the app's own ends the asking, too: AppServerAnswered with `is_up`.
    """

    number: int
    answers: int


class MakeLive(Struct, frozen=True):
    """Put this release's socket on the paths nginx connects to, and the canary's on `tenths` of them."""

    number: int
    canary: int = 0
    tenths: int = 0


class TakeDown(Struct, frozen=True):
    """Remove the live path, so that clients get an answer at once instead of waiting in the backlog."""


class EmptyQueue(Struct, frozen=True):
    """Hang up on the requests that wait at the socket of a release whose server has ended: nobody will read them."""

    number: int


class WatchQueue(Struct, frozen=True):
    """Tell when nothing waits at this release's socket any more: QueueEmpty."""

    number: int


class Forget(Struct, frozen=True):
    """The release is gone: remove its socket and stop asking it."""

    number: int


class StartGateway(Struct, frozen=True):
    pass


class ReloadGateway(Struct, frozen=True):
    pass


class EndGateway(Struct, frozen=True):
    """Stop listening and end nginx, if it runs."""

    mode: StopMode


class SayGoodbye(Struct, frozen=True):
    """Tell the sites behind nginx that it leaves: clients of WebSockets get Close 1001 before they are cut off."""


class AskGateway(Struct, frozen=True):
    """GatewayWell when the app answers well through nginx; with `is_alone` when nginx itself answers."""

    is_alone: bool = False


class MakePlan(Struct, frozen=True):
    """Ask for a new plan: Planned or PlanRefused. `path` is where the code is; empty: where it was."""

    number: int
    path: str = ""


class Say(Struct, frozen=True):
    notice: Notice


class Exit(Struct, frozen=True):
    """Everything has left; a failure carries its problems."""

    code: int
    problems: tuple[Problem, ...] = ()


Action = (
    SetBooting | CheckFiles | UseFiles | StartAppServer | EndAppServer | AskAppServer | MakeLive | TakeDown | EmptyQueue
    | WatchQueue | Forget
    | StartGateway | ReloadGateway | EndGateway | SayGoodbye | AskGateway | MakePlan | Say | Exit
)  # fmt: skip
