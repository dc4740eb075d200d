"""Problems of an app, like errors.Problem but without its imports."""

from __future__ import annotations


class AppError(Exception):
    """The app cannot be found or loaded; the fields are those of errors.Problem.

    `is_import` is true if the app's own code failed (exit code 4), false if its name was wrong (exit code 2).
    """

    def __init__(
        self, where: str, what: str, hint: str = "", quote: str = "", *, is_import: bool = False
    ) -> None:
        super().__init__(f"{where}: {what}")
        self.where, self.what, self.hint, self.quote = where, what, hint, quote
        self.is_import = is_import


def nearest(name: str, names: list[str], has: str, shown: str = "{}") -> str:
    """A hint: the name that was probably meant, in the form of `shown`, else all names in `has`."""
    from difflib import get_close_matches  # 3 ms, and only for an error

    if close := get_close_matches(name, names, n=1):
        return f"did you mean '{shown.format(close[0])}'?"
    return f"{has}: {listed(names)}" if names else ""


def listed(names: list[str], most: int = 8) -> str:
    """The names with commas; only the first ones if there are many."""
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more
