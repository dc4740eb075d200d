"""What a shell is offered after `portico ... <TAB>` beyond commands and options: files, running sites, values."""

from __future__ import annotations

from typing import Any, Literal, get_args, get_origin

import click
from click.shell_completion import CompletionItem

from portico.site.keys import Key

SHELLS = ("bash", "zsh", "fish")
VARIABLE = "_PORTICO_COMPLETE"
"""Where it is set, click answers a shell instead of running a command."""
Found = list[CompletionItem]


def files(_: click.Context, __: click.Parameter, incomplete: str) -> Found:
    return [CompletionItem(incomplete, type="file")]


def folders(_: click.Context, __: click.Parameter, incomplete: str) -> Found:
    return [CompletionItem(incomplete, type="dir")]


def sites(_: click.Context, __: click.Parameter, incomplete: str) -> Found:
    """The names of the sites that run here, by their locks: none of them is asked."""
    from portico.place.probe import runtime_directories
    from portico.run.disk import lock

    paths = [path for path in runtime_directories() if lock.running(str(path))]
    return _beginning_with(incomplete, sorted({lock.site_of(path) for path in paths}))


def values(key: Key) -> Any:
    """The completion of an option's flag, None if nobody can know its values."""
    words = tuple(_words(key.type))
    if words:
        return lambda _, __, incomplete: _beginning_with(incomplete, words)
    return files if key.is_read else None


def _words(type_: Any) -> list[str]:
    """The words that a type names, also one of several types."""
    if get_origin(type_) is Literal:
        return [one for one in get_args(type_) if isinstance(one, str)]
    return [word for one in get_args(type_) for word in _words(one)]


def _beginning_with(incomplete: str, words: Any) -> Found:
    return [CompletionItem(word) for word in words if word.startswith(incomplete)]
