"""`portico scale`: changes the number of workers at once."""

from __future__ import annotations

import click

from portico.cli import output
from portico.cli.running import running_runtime_of, running_site
from portico.protocol.commands import SCALE, SetWorkers
from portico.run.control import client
from portico.values import counted
from portico.watch.lines import short_size


@click.command("scale")
@click.argument("workers", type=click.IntRange(min=1))
@running_site
def command(workers: int, app: str | None, config: str | None, name: str) -> None:
    """Give the running release this number of WORKERS, at once and without losing a request.

    The next release has the configured number again (workers.count).
    """
    (answer,) = client.ask(running_runtime_of(app, config, name), SCALE, SetWorkers(str(workers)))
    leaving = f"; {answer.leaving} more finish their requests" if answer.leaving else ""
    output.result(f"{counted(answer.workers, 'worker')}; before there were {answer.before}{leaving}")
    if answer.workers > 2 * answer.cpus + 1 and answer.workers > answer.before:
        each = short_size(answer.worker_memory)
        what = f"{answer.workers} workers on {answer.cpus:g} CPUs, {each} each: more than that rarely serves more"
        output.result(output.warned(f"  {what}; threads of a worker wait for less (workers.threads)"))
    if answer.workers != answer.configured:
        output.result(
            output.faint(f"  until the next reload, which starts {answer.configured} as configured")
        )
