"""The names of failures."""

from __future__ import annotations

from portico.errors import IMPORT_FAILED, UNHEALTHY, Problem
from portico.run.machine import event as was
from portico.run.machine.state import Release, State
from portico.values import longer

SERVER = "the app server"


def died_booting(code: int) -> Problem:
    what = f"{SERVER} ended while starting, {ending(code)}"
    return Problem("", what, "its own output is above; run the app without Portico to see the same")


def died(code: int) -> Problem:
    return Problem("", f"{SERVER} of the canary ended, {ending(code)}", "its own output is above")


def gateway_died(state: State, event: was.GatewayExited) -> Problem:
    return Problem("", f"{state.program} ended while starting, {ending(event.code)}", quote=event.words)


def silent_server(release: Release) -> Problem:
    seconds = release.timeouts.start_seconds
    answer = release.process.answer or "no answer yet"
    hint = f"the last answer over its private socket: {answer}"
    more = f'if it needs longer: start_timeout = "{longer(seconds)}" in portico.toml'
    return Problem(
        "",
        f"the app did not become healthy within {seconds:g} s",
        "\n".join(filter(None, [hint, release.process.hint, more])),
    )


def silent_gateway(state: State) -> Problem:
    answer = state.gateway.answer or "no answer yet"
    return Problem(
        "",
        not_through(state.program),
        f"the last answer on the listen address: {answer}",
    )


def not_through(program: str) -> str:
    """The problem of a healthy app whose gateway (`program`) gets no answer from it."""
    return f"the app is healthy, but does not answer through {program}"


def unkillable(name: str) -> Problem:
    hint = "look for a disk or a network file system that does not answer, and end it by hand: kill -9 PID"
    return Problem("", f"{name} was killed and has not ended: Portico no longer waits for it", hint)


def ending(code: int) -> str:
    return f"by signal {-code}" if code < 0 else f"with exit code {code}"


def exit_code(event: was.AppServerExited) -> int:
    return IMPORT_FAILED if event.cannot_load else UNHEALTHY
