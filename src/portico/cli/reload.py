"""`portico reload`: new code and new configuration, no request lost."""

from __future__ import annotations

import sys

import click

from portico.cli import output
from portico.cli.running import running_site, runtime_of
from portico.run import client


@click.command("reload")
@running_site
@click.option("--json", "is_json", is_flag=True, help="Each step as a line of JSON.")
def command(app: str | None, config: str | None, name: str, is_json: bool) -> None:
    """Start the new code beside the old, ask it whether it is well, and switch.

    A release that fails is dropped and the old one serves on; exit code 3 when it did not become healthy, 4
    when it could not be imported.
    """
    code = 0
    for step in client.ask(runtime_of(app, config, name), "POST", "/reload"):
        code = step.get("code", 0) if step["news"] == "GenerationDropped" else code
        output.result(output.as_json_line(step) if is_json else _sentence(step))
    sys.exit(code)


def _sentence(step: dict[str, object]) -> str:
    match step["news"]:
        case "Reloading":
            return output.faint("asking the app and the configuration ...")
        case "Booting":
            return output.faint(f"release {step['number']} starts beside the one that serves ...")
        case "Switched":
            return output.good(f"release {step['number']} serves, after {step['took_seconds']:.2f} s")
        case "GenerationDropped":
            return "\n".join(
                [output.bad("the new release was dropped, the one before serves on"), *_problems(step)]
            )
    return str(step["news"])


def _problems(step: dict[str, object]) -> list[str]:
    from portico.errors import Problem

    found = step["problems"]
    assert isinstance(found, list)
    return [str(Problem(**problem)) for problem in found]
