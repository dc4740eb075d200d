"""Whether httpd reads a block such as <IfModule>: True, False, or None if that depends on the machine."""

from __future__ import annotations

import re
from collections.abc import Collection

from portico.explain.httpd.names import MODULE_OF, canonical

_STATIC = ("so", "watchdog", "log_config", "logio", "version", "unixd")
_BUILT_IN = frozenset(
    (
        *("core.c", "http_core.c", "core_module", "http_module"),
        *(f"mod_{name}.c" for name in _STATIC),
        *(f"{name}_module" for name in _STATIC),
    )
)
"""Modules that are part of the program in Debian and Fedora, as a file or by their name."""
_PATCHES = 150
"""httpd 2.4.1 and newer: a block that holds for all of them holds here."""
_VERSION = re.compile(r"\d+(?:\.\d+){0,2}")


def names_of_module(identifier: str, file: str) -> tuple[str, str]:
    """`proxy_module` and `mod_proxy.c`: <IfModule> knows a module by both."""
    stem = file.rpartition("/")[2].partition(".so")[0]
    if re.match(r"libphp", stem):
        stem = "mod_php"
    return identifier, f"{stem}.c"


def has_module(test: str, loaded: Collection[str], *, is_whole: bool) -> bool | None:
    """`is_whole`: modules are loaded in the files that were read, so one that was not loaded is not there."""
    name, is_negated = test.removeprefix("!"), test.startswith("!")
    if name in loaded or name in _BUILT_IN:
        return not is_negated
    return is_negated if is_whole else None


def is_defined(test: str, defined: Collection[str]) -> bool:
    return (test.removeprefix("!") in defined) != test.startswith("!")


def has_directive(test: str, loaded: Collection[str], *, is_whole: bool) -> bool | None:
    name, is_negated = test.removeprefix("!").removeprefix("<").rstrip(">"), test.startswith("!")
    module = MODULE_OF.get(canonical(name))
    if module is None:
        return None
    if module in ("core", "mpm_common"):
        return not is_negated
    return has_module(("!" if is_negated else "") + f"{module}.c", loaded, is_whole=is_whole)


def has_version(args: tuple[str, ...]) -> bool | None:
    """For every httpd 2.4, or None if its releases differ. Raises ValueError for what is no comparison."""
    words = list(args)
    test, wanted = (words[0], words[1]) if len(words) > 1 else ("=", words[0] if words else "")
    if len(words) == 1 and (found := re.match(r"!?[<>=~]=?", wanted)):
        test, wanted = found[0], wanted[found.end() :]
    found_all = {_compares(test, wanted, patch) for patch in range(1, _PATCHES)}
    return found_all.pop() if len(found_all) == 1 else None


def _compares(test: str, wanted: str, patch: int) -> bool:
    is_negated, test = test.startswith("!"), test.removeprefix("!")
    if test == "~" or wanted.startswith("/"):
        pattern = wanted.strip("/") if wanted.startswith("/") else wanted
        return bool(re.search(pattern, f"2.4.{patch}")) != is_negated
    if not _VERSION.fullmatch(wanted) or test not in ("=", "==", ">", ">=", "<", "<="):
        raise ValueError(f"{test} {wanted} is no version to compare with")
    other = tuple(int(part) for part in wanted.split("."))
    own = (2, 4, patch)
    padded = (*other, 0, 0)[:3]
    answer = {
        "=": own == padded, "==": own == padded, ">": own > padded, ">=": own >= padded, "<": own < padded,
        "<=": own <= padded,
    }[test]  # fmt: skip
    return answer != is_negated
