"""Two harms at once: every pair that can meet, made from the list of harms."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from itertools import combinations

from tests.faults.clients import Clients
from tests.faults.harms import HARMS, Harm, Scene, files
from tests.faults.kills import marks_of
from tests.faults.outcome import Outcome, judged
from tests.faults.shortages import small_disk
from tests.faults.stage import is_root, staged
from tests.support import private_directory
from tests.support.clients import Asked, ask

Pair = tuple[type[Harm], type[Harm]]

ONE_RELOAD = frozenset({"refused-reload", "reload", "configuration", "rollback"})
ONE_END = frozenset({"portico", "restart", "runtime-gone"})
APART = {
    ONE_RELOAD: "one reload reads code and configuration, and a rollback waits for no other order",
    ONE_END: "Portico ends once",
}
"""Groups of which no two can meet, and why."""


def pairs() -> list[Pair]:
    """Every pair that can meet, each in the order in which it begins."""
    return [
        (first, second)
        for first, second in combinations(HARMS, 2)
        if not any({first.key, second.key} <= group for group in APART)
    ]


def key(pair: Pair) -> str:
    return f"{pair[0].key}+{pair[1].key}"


def meet(pair: Pair, _: float = 0) -> Outcome:
    """Both at once, then both healed: what was lost that neither may lose, and whether all is well afterwards."""
    fault = f"{pair[0].key} x {pair[1].key}"
    if any(harm.needs_root for harm in pair) and not is_root():
        return Outcome(fault, "what either alone may lose", remarks=("needs root; not tried",))
    with scene(pair) as found:
        harms = [pair[0](found, pair[1]), pair[1](found, pair[0])]
        _play(found, harms)
        return judged(
            fault,
            "what either alone may lose",
            found.stage,
            found.clients,
            may_fail=partial(_may_fail, found, harms),
            broken=found.wrong,
        )


@contextmanager
def scene(pair: Pair) -> Iterator[Scene]:
    """A site of two workers, whose listening socket a service manager keeps."""
    with ExitStack() as stack:
        home = stack.enter_context(private_directory())
        if any(harm.needs_root for harm in pair):
            stack.enter_context(small_disk(home / "state", megabytes=8))
        words = [word for harm in pair for word in harm.words]
        stage = stack.enter_context(staged(*words, home=home, files=files(), keeps_socket=True))
        clients = Clients(stage.port)
        yield Scene(stage, clients)


def _play(found: Scene, harms: list[Harm]) -> None:
    for harm in harms:
        harm.prepare()
    with found.clients:
        found.clients.go_on(rounds=2)
        for harm in harms:
            harm.strike()
        for harm in reversed(harms):
            harm.settle()
        if not found.is_down:
            found.clients.go_on(rounds=2)
        for harm in reversed(harms):
            harm.heal()
        _wait_until_well(found)


def _wait_until_well(found: Scene) -> None:
    """Both workers, the release and the configuration that must serve now, and no word of trouble."""
    stage = found.stage
    found.until(lambda: len(stage.arbiter().children()) == 2, "two workers of the release that serves")
    found.until(lambda: _answers(found) == {found.serves}, f"release {found.serves} serves alone")
    found.until(lambda: marks_of(stage, 6) == {found.mark}, f"configuration {found.mark} is in force alone")
    found.clients.go_on()
    answers, marks = _answers(found), marks_of(stage, 6)
    found.expect(answers == {found.serves}, f"release {found.serves} must serve: {answers}")
    found.expect(marks == {found.mark}, f"configuration {found.mark} must be in force: {marks}")


def _answers(found: Scene) -> set[str]:
    return {ask(found.stage.port, "GET", "/").said for _ in range(6)}


def _may_fail(found: Scene, harms: list[Harm], asked: Asked) -> bool:
    return any(harm.may_fail(asked) for harm in harms)
