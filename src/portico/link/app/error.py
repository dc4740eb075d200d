"""What is wrong with an app, in the words of errors.Problem but without the imports it takes."""

from __future__ import annotations


class AppError(Exception):
    """The app cannot be found or loaded; the fields are those of errors.Problem.

    `is_import` says that the app's own code failed (exit code 4), not the way it was named (exit code 2).
    """

    def __init__(
        self, where: str, what: str, hint: str = "", quote: str = "", *, is_import: bool = False
    ) -> None:
        super().__init__(f"{where}: {what}")
        self.where, self.what, self.hint, self.quote = where, what, hint, quote
        self.is_import = is_import


def nearest(name: str, names: list[str], has: str, shown: str = "{}") -> str:
    """A hint: the name that was probably meant, as `shown` would be typed, else all there are in what `has` them."""
    from difflib import get_close_matches  # 3 ms, and only for an error

    if close := get_close_matches(name, names, n=1):
        return f"did you mean '{shown.format(close[0])}'?"
    return f"{has}: {listed(names)}" if names else ""


def listed(names: list[str], most: int = 8) -> str:
    """Names with commas, the first of them when they are many."""
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more
