"""Events: the input of the machine. Values only."""

from __future__ import annotations

from msgspec import Struct

from portico.errors import Problem
from portico.run.machine.action import Action
from portico.run.machine.state import Timeouts


class Begin(Struct, frozen=True):
    """Every check before the start has passed; start release `number`.

    `clients_wait`: the listening sockets were passed to us, and clients may wait in their queues. `prepares`: a
    command runs before it. `background` are the names of its background processes.
    `concludes`: a command runs after it.
    """

    number: int
    clients_wait: bool = False
    prepares: bool = False
    background: tuple[str, ...] = ()
    concludes: bool = False


class FilesAccepted(Struct, frozen=True):
    """The gateway accepts this release's files."""

    number: int


class FilesRefused(Struct, frozen=True):
    number: int
    problems: tuple[Problem, ...]


class Prepared(Struct, frozen=True):
    """The command before the release has succeeded."""

    number: int


class NotPrepared(Struct, frozen=True):
    """The command before the release has failed, or could not be started."""

    number: int
    problems: tuple[Problem, ...]


class AppServerExited(Struct, frozen=True):
    """A release's first process ended; `code` is negative when a signal ended it.

    `cannot_load`: the exit code says that its workers could not load the app.
    """

    number: int
    code: int
    cannot_load: bool = False


class BackgroundExited(Struct, frozen=True):
    """A background process ended; `code` as in AppServerExited."""

    id: int
    code: int


class GatewayExited(Struct, frozen=True):
    """The gateway's master exited; `words` is the end of its standard error."""

    code: int
    words: str = ""


class AppServerWell(Struct, frozen=True):
    """The release gave the required number of good answers in a row."""

    number: int


class AppServerAnswered(Struct, frozen=True):
    """The release gave an answer that does not count as good.

    `is_up`: the app itself answered with an error: it runs, and fails. `hint` is advice, or empty.
    """

    number: int
    answer: str
    is_up: bool = False
    hint: str = ""


class GatewayWell(Struct, frozen=True):
    """The app answered through the gateway, on the public address."""


class GatewayAnswered(Struct, frozen=True):
    answer: str


class ReloadAsked(Struct, frozen=True):
    """Serve new code from the directory `path`, or from the same place; `tenths` of the requests first, or all."""

    path: str = ""
    tenths: int = 0


class PromoteAsked(Struct, frozen=True):
    """The canary gets all requests."""


class AbortAsked(Struct, frozen=True):
    """End the canary."""


class RollbackAsked(Struct, frozen=True):
    """The previous release gets all requests again."""


class Planned(Struct, frozen=True):
    """There is a new plan; `gateway_changed` if its gateway files differ from the active ones.

    `rules_changed`: the access rules differ, too. `prepares`: a command runs before the release. `background` are
    the names of its background processes. `concludes`: a command runs after it. `python` names its interpreter if that
    is another.
    """

    number: int
    timeouts: Timeouts
    gateway_changed: bool = False
    rules_changed: bool = False
    prepares: bool = False
    background: tuple[str, ...] = ()
    concludes: bool = False
    python: str = ""


class PlanRefused(Struct, frozen=True):
    number: int
    problems: tuple[Problem, ...]
    code: int = 1


class StopAsked(Struct, frozen=True):
    """Stop, and exit with `code`; a second one hurries."""

    code: int


class Lost(Struct, frozen=True):
    """Something that the whole run needs is gone, and cannot be made again."""

    problems: tuple[Problem, ...]


class QueueEmpty(Struct, frozen=True):
    """Nothing waits any more at the socket of a release that was replaced."""

    number: int


class Drained(Struct, frozen=True):
    """While stopping: no request is in progress; only idle connections are left."""


class NotDone(Struct, frozen=True):
    """An action failed: because of the disk, the kernel or a fault of Portico."""

    action: Action
    problem: Problem


class Tick(Struct, frozen=True):
    """The time of `wake_at` has come."""


Event = (
    Begin | FilesAccepted | FilesRefused | Prepared | NotPrepared | AppServerExited | BackgroundExited
    | GatewayExited | AppServerWell | AppServerAnswered | GatewayWell | GatewayAnswered | ReloadAsked | PromoteAsked
    | AbortAsked | RollbackAsked | Planned | PlanRefused | StopAsked | Lost | QueueEmpty | Drained | NotDone | Tick
)  # fmt: skip
