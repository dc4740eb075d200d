"""`portico fleet`: releases to several hosts behind a gateway."""

from __future__ import annotations

import shlex
import signal
import sys

import click

from portico.cli import output
from portico.cli.completion import files
from portico.errors import FAILED
from portico.plan.fleet import What, refuse_name
from portico.run.fleet import Left, Outcome, Progress, Result, release


@click.group("fleet", context_settings={"help_option_names": ["-h", "--help"]})
def command() -> None:
    """Release to the hosts behind a gateway: [fleet] in its portico.toml says how."""


@command.command("release")
@click.argument("name")
@click.option("--config", metavar="FILE", shell_complete=files, help="The gateway's portico.toml.")
@click.option("--json", "is_json", is_flag=True, help="Each step and the result as a line of JSON.")
def release_command(name: str, config: str | None, is_json: bool) -> None:
    """Bring releases/NAME of every host into use, one host after the other.

    A host is drained at the gateway, released, asked by the gateway, and gets requests again. The first that fails gets
    its old release back, and the others keep what they have. Ctrl-C finishes the host in progress first; a second one
    ends the step in progress, and the host gets its old release back.
    """
    from portico.project.fleet import gathered

    refuse_name(name)
    fleet, _ = gathered(config, f"{shlex.quote(sys.executable)} -P -m portico")
    result = Result(name, {})
    for item in release(fleet, name, _Stops().asked):
        # Without a terminal or a reader the release goes on.
        with output.unheard():
            if is_json:
                output.result(output.as_json_line(item))
            elif isinstance(item, Progress):
                _show(item)
            else:
                _conclude(item)
        if isinstance(item, Result):
            result = item
    if not result.is_complete:
        sys.exit(FAILED)


class _Stops:
    """Counts how often a stop is asked for. A terminal that is closed may send several SIGHUP, which count as one."""

    def __init__(self) -> None:
        self.count = 0
        is_nohup = signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
        for number in (signal.SIGINT, signal.SIGTERM, *(() if is_nohup else (signal.SIGHUP,))):
            signal.signal(number, self._on)

    def asked(self) -> int:
        return self.count

    def _on(self, number: int, _: object) -> None:
        self.count = max(self.count, 1) if number == signal.SIGHUP else self.count + 1


def _show(item: Progress) -> None:
    if item.outcome is Outcome.BEGUN:
        output.say(f"{item.server}: {_DOES[item.step]}")
    elif item.outcome is Outcome.FAILED:
        output.say(output.bad(f"{item.server}: {item.step} failed, exit code {item.code}"))
        for line in item.output.splitlines():
            output.say(f"    {line}")


_DOES = {
    What.LOCK: "does another release run?",
    What.LOOK: "is it ready for a release?",
    What.FETCH: "fetches the code",
    What.DRAIN: "gets no new requests and finishes those that it has",
    What.RELEASE: "starts the new release",
    What.RETURN: "gets requests again when it answers well",
    What.ROLL_BACK: "gets its old release back",
}


def _conclude(result: Result) -> None:
    for server, left in result.servers.items():
        colour = output.good if left is Left.NEW else output.warned
        output.result(f"  {server}  {colour(_LEFT[left].format(result.release))}")


_LEFT = {
    Left.NEW: "serves {}",
    Left.NEW_DRAINED: "has {}, and stays drained as it was before",
    Left.ROLLED_BACK: "serves the release that it had: {} failed there",
    Left.DRAINED: "is drained: look there, then portico drain SERVER --undo at the gateway",
    Left.UNTOUCHED: "was not touched",
}
