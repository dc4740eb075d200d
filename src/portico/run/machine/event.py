"""What happened: the input of the machine. Values only.

Structs here and in `action` and `notices`, because they are many: as dataclasses, which write and compile their
methods at import, they made every start 20 ms later.
"""

from __future__ import annotations

from msgspec import Struct

from portico.errors import Problem
from portico.run.machine.action import Action
from portico.run.machine.state import Timeouts


class Begin(Struct, frozen=True):
    """Everything that can be checked beforehand was checked; start release `number`.

    `clients_wait`: the listening sockets were handed over, and there may be clients in their queues.
    """

    number: int
    clients_wait: bool = False


class FilesAccepted(Struct, frozen=True):
    """nginx reads this release's files without a complaint."""

    number: int


class FilesRefused(Struct, frozen=True):
    number: int
    problems: tuple[Problem, ...]


class AppServerExited(Struct, frozen=True):
    """A release's first process ended; `code` is negative when a signal ended it.

    `cannot_load`: by this code it says that its workers could not load the app.
    """

    number: int
    code: int
    cannot_load: bool = False


class GatewayExited(Struct, frozen=True):
    """nginx's master ended; `words` is what it wrote to its standard error last."""

    code: int
    words: str = ""


class AppServerWell(Struct, frozen=True):
    """The release answered as often in a row as it was asked to."""

    number: int


class AppServerAnswered(Struct, frozen=True):
    """The release gave an answer that does not count as well.

    `is_up`: the app itself answered, with an error: it runs, and fails. `hint` is what may help, empty for nothing.
    """

    number: int
    answer: str
    is_up: bool = False
    hint: str = ""


class GatewayWell(Struct, frozen=True):
    """The app answered through nginx, on the address people use."""


class GatewayAnswered(Struct, frozen=True):
    answer: str


class ReloadAsked(Struct, frozen=True):
    """Serve new code: from the directory `path`, or from where it was; `tenths` of the requests first, or all."""

    path: str = ""
    tenths: int = 0


class PromoteAsked(Struct, frozen=True):
    """The canary gets everything."""


class AbortAsked(Struct, frozen=True):
    """The canary leaves."""


class RollbackAsked(Struct, frozen=True):
    """The release before this one gets everything again."""


class Planned(Struct, frozen=True):
    """There is a new plan; `gateway_changed` when it has other nginx files than the one in force.

    `rules_changed`: the access rules are among them.
    """

    number: int
    timeouts: Timeouts
    gateway_changed: bool = False
    rules_changed: bool = False


class PlanRefused(Struct, frozen=True):
    number: int
    problems: tuple[Problem, ...]
    code: int = 1


class StopAsked(Struct, frozen=True):
    """Leave, and exit with `code`; asked again, hurry."""

    code: int


class Lost(Struct, frozen=True):
    """What everything here needs is gone; it cannot be made again."""

    problems: tuple[Problem, ...]


class QueueEmpty(Struct, frozen=True):
    """Nothing waits any more at the socket of a release that was replaced."""

    number: int


class Drained(Struct, frozen=True):
    """While stopping: no request is in progress, what is left are idle connections."""


class NotDone(Struct, frozen=True):
    """An action failed: the disk, the kernel or a fault of ours prevented it."""

    action: Action
    problem: Problem


class Tick(Struct, frozen=True):
    """It is the time that `wake_at` asked for."""


Event = (
    Begin | FilesAccepted | FilesRefused | AppServerExited | GatewayExited | AppServerWell | AppServerAnswered
    | GatewayWell | GatewayAnswered | ReloadAsked | PromoteAsked | AbortAsked | RollbackAsked | Planned | PlanRefused
    | StopAsked | Lost | QueueEmpty | Drained | NotDone | Tick
)  # fmt: skip
