"""`portico explain`: shows why each generated line is there."""

from __future__ import annotations

import difflib
import re
import textwrap
from pathlib import Path
from typing import Any

import click
from msgspec import Struct

from portico.cli import output
from portico.cli.difference import say_if_other_runs
from portico.cli.explain_file import untouched
from portico.cli.flags import development_flag, given, site_flags
from portico.errors import Problem, UsageError
from portico.explain.language import Language
from portico.explain.languages import language_of, language_of_file
from portico.explain.verdict import Asked
from portico.plan.files import Line
from portico.plan.model import Plan
from portico.plan.web.access import Answer, admits
from portico.plan.web.routing.told import told
from portico.plan.web.unwanted.bans import unbanned
from portico.project.gather import gather
from portico.project.sites import one_of

_OF_A_FILE = re.compile(r"\S+\.(?:conf|py|ini|toml|vhost)(?::\d+)?")
"""How WHAT looks if it means a file, or a line of one."""


class Explained(Struct, frozen=True):
    """A line, its place and its reason; `does` and `default` describe the directive in general."""

    file: str
    number: int
    text: str
    why: str
    source: str
    cause: str
    is_users: bool
    does: str = ""
    default: str = ""


@click.command("explain")
@click.argument("what", required=False)
@click.option("--app", "app", metavar="APP", help="The app, as for portico run.")
@site_flags
@development_flag
@click.option(
    "--why", "request", metavar="REQUEST", help='Who would answer: "GET https://shop.example/a.css".'
)
@click.option("--json", "is_json", is_flag=True, help="Everything as JSON.")
def command(
    what: str | None, app: str | None, config: str | None, request: str | None, is_json: bool, **flags: Any
) -> None:
    """Say why a generated line is there, or what any file of nginx or Apache httpd means.

    WHAT is a file (nginx.conf), a line (nginx.conf:14, or 14), or a directive (client_max_body_size).
    Without it, every line of nginx.conf and gunicorn.conf.py is explained. The path of any other file of nginx
    or Apache httpd (/etc/nginx/nginx.conf, also with a line), or of its directory (/etc/apache2), explains that file
    and finds its faults; --why says which server and location of it, or of this site, would answer a request.
    """
    if elsewhere := untouched(what):
        from portico.cli import explain_file

        file = elsewhere[0]
        if request:
            language = language_of_file(file)
            explain_file.why(language, language.read(file.absolute()), request, is_json=is_json)
        else:
            explain_file.explain_file(*elsewhere, is_json=is_json)
        return
    if what and Path(what).is_absolute() and (missing := _no_file(what)):
        raise UsageError(missing)
    app = one_of("explain --app", [app] if app else [])
    gathered = gather(app, config, given(flags), looks=True)
    plan, site = gathered.plan, gathered.site
    if request:
        from portico.cli.explain_file import planned, why

        def who(path: str) -> list[Answer]:
            return [*unbanned(plan), *admits(site, path.removeprefix(site.prefix))]

        def rules(asked: Asked, path: str) -> list[Answer]:
            return told(site.rules, asked.method, asked.host, path)

        why(
            language_of(plan),
            planned(plan),
            request,
            next(iter(plan.urls), "http://localhost/"),
            is_json=is_json,
            who=who,
            rules=rules,
        )
        say_if_other_runs(plan)
        return
    found = explain(plan, what)
    if is_json:
        output.result(output.as_json(found))
    else:
        output.results([text for item in found for text in _lines(item)])
        say_if_other_runs(plan)


def explain(plan: Plan, what: str | None) -> list[Explained]:
    """The lines that `what` means. Raises UsageError with the nearest names if there is none."""
    language = language_of(plan)
    everything = [
        _explained(language, file.path, number, line)
        for file in plan.files
        for number, line in enumerate(file.lines, 1)
        if line.why and not file.is_secret
    ]
    if what is None:
        return [item for item in everything if not item.file.startswith("errors/")]
    line = _numbered(language, what)
    found = [item for item in everything if _is_meant(item, what, line)]
    if not found:
        raise UsageError((_not_a_line(plan, *line) if line else None) or _nothing(plan, everything, what))
    return found


def _explained(language: Language, path: str, number: int, line: Line) -> Explained:
    text = line.text.strip()
    known = language.words(text.split(" ")[0].rstrip(";"), "") if path.endswith(language.main) else None
    does, default = (known.does, known.default) if known else ("", "")
    return Explained(path, number, text, line.why, line.source, line.cause, line.is_users, does, default)


def _is_meant(item: Explained, what: str, line: tuple[str, int] | None) -> bool:
    if line:
        return (item.file, item.number) == line
    return (
        what.rpartition("/conf/")[2] == item.file
        or _name(item) == what
        or item.text.rstrip("{;").strip() == what
        or item.text.strip("<>") == what
    )


def _numbered(language: Language, what: str) -> tuple[str, int] | None:
    """`14`, `nginx.conf:14` or the same with the whole path, as file and number."""
    file, _, number = what.rpartition(":")
    if not (number.isascii() and number.isdigit()):
        return None
    return file.rpartition("/conf/")[2] or language.main, int(number)


def _name(item: Explained) -> str:
    return item.text.partition(" ")[0].rstrip(";").removeprefix("<")


def _not_a_line(plan: Plan, path: str, number: int) -> Problem | None:
    """Why a line number of a generated file has no reason; None if there is no such file."""
    lines = next((file.lines for file in plan.files if file.path == path), None)
    if lines is None:
        return None
    if not 1 <= number <= len(lines):
        return Problem("", f"{path} has no line {number}", f"expected 1 to {len(lines)}")
    is_end = lines[number - 1].text.strip().startswith(("}", "</"))
    return Problem("", f"line {number} of {path} {'only closes a block' if is_end else 'says nothing'}")


def _nothing(plan: Plan, everything: list[Explained], what: str) -> Problem:
    names = sorted({_name(item) for item in everything} | {file.path for file in plan.files})
    near = difflib.get_close_matches(what, names, n=3)
    files = ", ".join(file.path for file in plan.files if not file.path.startswith("errors/"))
    hint = (
        f"did you mean {' or '.join(near)}?"
        if near
        else f"expected a directive, a line number or a file: {files}"
    )
    if missing := _no_file(what):
        return Problem(missing.where, missing.what, f"{missing.hint}, or a file of this site: {files}")
    return Problem("", f'nothing in this configuration is named "{what}"', hint)


def _no_file(what: str) -> Problem | None:
    """The problem if `what` means a file that is not there, or a directory that no web server starts from."""
    if "/conf/" in what:
        return None  # of a site: it names the others
    hint = "expected the path of a file of nginx or Apache httpd"
    if "/" in what and Path(what).is_dir():
        return Problem(what, "no web server's main file is in this directory", hint)
    name = re.sub(r":\d+$", "", what)
    return (
        Problem(name, "there is no such file", hint)
        if _OF_A_FILE.fullmatch(what) and not Path(name).exists()
        else None
    )


def _lines(item: Explained) -> list[str]:
    why = textwrap.wrap(item.why, 92, initial_indent="    ", subsequent_indent="    ")
    below = "   ".join(part for part in (item.cause and f"because of {item.cause}", item.source) if part)
    general = f"in general: {item.does}; default: {item.default}" if item.does else ""
    why += textwrap.wrap(general, 92, initial_indent="    ", subsequent_indent="    ")
    head = f"{output.faint(f'{item.file}:{item.number}')}  {output.strong(item.text)}"
    return [head, *why, *([f"    {output.faint(below)}"] if below else []), ""]
