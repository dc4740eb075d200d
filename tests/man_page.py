"""`python -m tests.man_page`: the man page docs/portico.1, of the same declarations as `portico COMMAND --help`."""

from __future__ import annotations

import inspect
import re
import sys
from collections.abc import Iterator

from click import Argument, Command, Context, Group, Option

from portico import __version__
from portico.cli import portico
from portico.cli.command_table import GROUPS
from portico.site.keys import flag_keys

_DESCRIPTION = """Portico configures, starts and supervises a web server (nginx, or Apache httpd) and an app server in
front of a Python web app. It switches releases without losing a request, and says why each line is there that it wrote.
With no APP it looks for one in the current directory, as the flask command does."""
_FILES = {
    "portico.toml": "The options of a site, in its directory. portico options lists them.",
    "/etc/systemd/system/portico-NAME.service": "What portico export systemd writes.",
}
_ENVIRONMENT = {
    "PORTICO_RUNTIME_DIR": "Where the sockets and the configuration of running sites are.",
    "PORTICO_STATE_DIR": "Where logs, certificates and caches are.",
    "PORTICO_DEBUG": "If set, an internal error prints its traceback.",
}


def page() -> str:
    """The text for man(1); https://man7.org/linux/man-pages/man7/groff_man.7.html has its macros."""
    return "\n".join(_lines()) + "\n"


def _lines() -> Iterator[str]:
    root = Context(portico, info_name="portico", **portico.context_settings)  # -h, for each command
    yield f'.TH PORTICO 1 "" "Portico {__version__}" "User Commands"'
    yield from (".SH NAME", r"portico \- put a Python web app into production behind a real nginx")
    yield from (
        ".SH SYNOPSIS",
        ".B portico",
        "COMMAND [OPTIONS] [ARGUMENTS]",
        ".br",
        ".B portico",
        r"\-\-version",
    )
    yield from (".SH DESCRIPTION", _text(_DESCRIPTION))
    yield ".SH OPTIONS"
    yield from _options(root, portico)
    for title, names in GROUPS.items():
        yield f".SH COMMANDS: {title.upper()}"
        for name in names:
            command = portico.get_command(root, name)
            assert command
            yield from _command(Context(command, info_name=name, parent=root))
    run = portico.get_command(root, "run")
    assert run
    yield from (
        ".SH OPTIONS OF A SITE",
        "Each is an option of portico.toml, too, and a flag of the commands that",
    )
    yield "take the options of a site: run, check, plan, explain, and export."
    yield from _options(Context(run, parent=root), run, of_site=True)
    for heading, rows in (("FILES", _FILES), ("ENVIRONMENT", _ENVIRONMENT)):
        yield f".SH {heading}"
        for name, what in rows.items():
            yield from (".TP", f".B {_text(name)}", _text(what))
    yield from (".SH SEE ALSO", ".BR nginx (8),", ".BR gunicorn (1)")


def _command(context: Context) -> Iterator[str]:
    command = context.command
    words = " ".join(command.collect_usage_pieces(context))
    yield from (f".SS {_text(context.command_path)} {_text(words)}", *_paragraphs(command.help or ""))
    yield from _options(context, command)
    if isinstance(command, Group):
        for name, part in command.commands.items():
            yield from _command(Context(part, info_name=name, parent=context))


def _paragraphs(text: str) -> Iterator[str]:
    """As click reads a help text: what follows a backspace keeps its lines."""
    for paragraph in inspect.cleandoc(text.partition("\f")[0]).split("\n\n"):
        yield ".PP"
        if paragraph.startswith("\b\n"):
            yield from (".nf", *map(_text, paragraph.splitlines()[1:]), ".fi")
        else:
            yield _text(paragraph)


def _options(context: Context, command: Command, *, of_site: bool = False) -> Iterator[str]:
    flags = {f"--{name}" for name in flag_keys()} - {"--app"}
    has_all = any("--request-timeout" in one.opts for one in command.params)
    for option in command.get_params(context):
        if isinstance(option, Argument) or (has_all and bool(flags & {*option.opts}) is not of_site):
            continue
        assert isinstance(option, Option)
        if record := option.get_help_record(context):
            names, what = record
            yield from (".TP", rf"\fB{_text(names)}\fR", _text(what))


def _text(text: str) -> str:
    """With roff's own characters escaped: a line begins with no dot, and a hyphen is one that can be copied."""
    escaped = text.replace("\\", r"\e").replace("-", r"\-").replace("'", r"\(aq").replace("^", r"\(ha")
    return re.sub(r"^(?=\.)", r"\\&", escaped.replace("~", r"\(ti").replace("`", r"\(ga"), flags=re.MULTILINE)


if __name__ == "__main__":
    sys.stdout.write(page())
