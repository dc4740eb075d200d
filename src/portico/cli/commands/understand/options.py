"""`portico options`: lists every option."""

from __future__ import annotations

import click

from portico.cli import output
from portico.site.json_schema import json_schema
from portico.site.keys import keys
from portico.site.reference_page import reference_page, shown
from portico.site.variables import variable


@click.command("options")
@click.option("--json", "is_json", is_flag=True, help="Every option as JSON.")
@click.option("--schema", is_flag=True, help="A JSON schema of portico.toml, for editors.")
@click.option("--markdown", is_flag=True, help="The reference page.")
def command(is_json: bool, schema: bool, markdown: bool) -> None:
    """List every option, its default and what it means."""
    if schema:
        output.result(output.as_json(json_schema()))
    elif markdown:
        output.result(reference_page())
    elif is_json:
        listed = [
            {
                "name": key.name,
                "variable": variable(key.name),
                "default": shown(key.default),
                "help": key.help,
                "expected": key.expected,
            }
            for key in keys()
        ]
        output.result(output.as_json(listed))
    else:
        for key in keys():
            output.result(f"{output.strong(key.name)} = {shown(key.default)}  {output.faint(key.expected)}")
            output.result(f"    {key.help}")
