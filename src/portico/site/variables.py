"""Options in the environment: `limits.rate` is PORTICO_LIMITS_RATE. A flag wins over it, and it over portico.toml.

A name has the whole key, never a table's shorthand: PORTICO_WORKERS and others are variables of Portico's own workers.
"""

from __future__ import annotations

import difflib
import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping, MutableMapping
from functools import cache
from typing import Any

from portico.site.keys import Key, keys, sections

PREFIX = "PORTICO_"
USER = "PORTICO_USER"
"""The only one that portico.toml wins over, so that an image which sets it makes no site of a user root's."""
OTHERS = frozenset(
    {USER, "PORTICO_RUNTIME_DIR", "PORTICO_STATE_DIR", "PORTICO_NGINX", "PORTICO_APACHE", "PORTICO_DEBUG"}
)
"""Variables that people set and that are no options."""
_NEAR = 0.75
"""All have the same beginning: less would be no likeness."""
_CAUSE = " in the environment"
_OF_A_CLUSTER = re.compile(r"PORTICO_(\w+_)?(SERVICE_HOST|SERVICE_PORT\w*|PORT|PORT_\d+_(TCP|UDP|SCTP)\w*)")
"""Kubernetes and Docker set these for a service called portico."""


def variable(key: str) -> str:
    """The name of an option's variable."""
    return PREFIX + key.upper().replace(".", "_")


def cause(key: str) -> str:
    """The origin of a value that it set."""
    return f"{variable(key)}{_CAUSE}"


def is_cause(text: str) -> bool:
    return text.startswith(PREFIX) and text.endswith(_CAUSE)


def given(environ: Mapping[str, str]) -> Iterator[tuple[Key, Any, bool]]:
    """Each option that is set there, its value, and whether that is as a flag's. An empty variable is none, and so is
    one of commas: it must not remove what portico.toml says.

    Lists and tables have commas between their entries, or are written as in portico.toml. Raises nothing: a value that
    is not valid TOML is given as it is.
    """
    for name, key in _options().items():
        if not (text := environ.get(name, "").strip()):
            continue
        if not (key.is_list or key.is_table):
            yield key, text, True
        elif text[0] + text[-1] == ("[]" if key.is_list else "{}"):
            yield key, _toml(text), False
        else:
            entries = [one.strip() for one in text.split(",") if one.strip()]
            if entries:
                yield key, entries, True


def _toml(text: str) -> Any:
    """One value; the text itself if it is none, has more after it, or is not UTF-8."""
    try:
        text.encode()
        found = tomllib.loads(f"value = {text}")
    except (UnicodeEncodeError, tomllib.TOMLDecodeError, RecursionError):
        return text
    return found["value"] if len(found) == 1 else text


def unknown(names: Iterable[str]) -> tuple[str, ...]:
    """Those that look like an option and are none, each with the name that was probably meant."""
    wrong = sorted(
        name
        for name in names
        if name.startswith(PREFIX)
        and name not in _options()
        and name not in OTHERS
        and not _OF_A_CLUSTER.fullmatch(name)
    )
    return tuple(f"{name} ({_meant(name)})" for name in wrong)


def without(environ: Mapping[str, str]) -> dict[str, str]:
    """The environment without options: the app and the gateway have the plan."""
    return {name: value for name, value in environ.items() if name not in _options()}


def forget(environ: MutableMapping[str, str]) -> tuple[str, ...]:
    """Removes the options; returns the names of those that were there."""
    found = tuple(name for name in _options() if name in environ)
    for name in found:
        del environ[name]
    return found


def _meant(name: str) -> str:
    if section := sections().get(name.removeprefix(PREFIX).lower()):
        return f"did you mean {name}_{section.shorthand.upper()}?"
    near = difflib.get_close_matches(name, [*_options(), *sorted(OTHERS)], n=1, cutoff=_NEAR)
    return f"did you mean {near[0]}?" if near else "portico options lists all"


@cache
def _options() -> dict[str, Key]:
    return {variable(key.name): key for key in keys() if variable(key.name) != USER}
