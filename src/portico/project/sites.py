"""Whether words mean one site or several, and which."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from portico.errors import Problem, UsageError
from portico.site.load import FILE

_NOT_A_SITE = ("pyproject.toml",)


def is_several(apps: Sequence[str]) -> bool:
    """Whether these words mean several sites: more than one, or a directory of them."""
    return len(apps) > 1 or (len(apps) == 1 and is_directory_of_sites(apps[0]))


def is_directory_of_sites(word: str) -> bool:
    """A directory that is not a site itself (no portico.toml, no Python) and contains some."""
    path = Path(word)
    try:
        if not path.is_dir():
            return False
        names = {entry.name for entry in path.iterdir()}
    except OSError:
        return False
    is_site = FILE in names or any(name.endswith(".py") or name in _NOT_A_SITE for name in names)
    return not is_site and any(_in_directory(path))


def refuse_config(config: str | None) -> None:
    """Raises UsageError: with several sites, each has its own file."""
    if config:
        raise UsageError(Problem("--config", "is for one site", "name the files: portico run a.toml b.toml"))


def one_of(command: str, words: Sequence[str]) -> str | None:
    """The one app, None if none is named. Raises UsageError for several sites."""
    if not is_several(words):
        return words[0] if words else None
    sites = [site for word in words for site in sites_of(word)]
    hint = f"name one of them: portico {command} {sites[0]}"
    raise UsageError(Problem("", f"{' '.join(words)}: {len(sites)} sites, and this is about one", hint))


def sites_of(word: str) -> list[str]:
    """The files or directories of the sites of a word. Raises UsageError for a word without any."""
    path = Path(word)
    if path.is_dir():
        return sorted(_in_directory(path)) if is_directory_of_sites(word) else [word]
    if not word.endswith(".toml"):
        hint = "name files like shop.toml, directories of apps, or one directory that holds such"
        raise UsageError(Problem("", f'"{word}" is neither a portico.toml nor a directory', hint))
    return [word]


def _in_directory(path: Path) -> Iterator[str]:
    """The sites of a directory: files, and directories with a portico.toml."""
    for entry in path.iterdir():
        is_file = entry.suffix == ".toml" and entry.name not in _NOT_A_SITE and entry.is_file()
        if not entry.name.startswith(".") and (is_file or (entry / FILE).is_file()):
            yield str(entry)
