"""Whether a word of the command line is the configuration of a web server, and not an app."""

from __future__ import annotations

from pathlib import Path

from portico.errors import UsageError
from portico.reading import ordinary

_OTHERS = (".toml", ".py", ".ini")


def is_configuration(word: str) -> bool:
    """A file in a language of a web server: `nginx.conf`, `sites-enabled/shop`."""
    path = Path(word)
    if path.suffix in _OTHERS:
        return False
    try:
        if not path.is_file():
            return False
        text = ordinary(path).decode("utf-8", "replace")
    except (OSError, ValueError, UsageError):
        return False
    from portico.explain.languages import LANGUAGES  # 100 modules, which a site that runs has no need of

    return any(language.recognised.search(text) for language in LANGUAGES)
