"""What the slash at the end of `proxy_pass` and `alias` does, tried in a real nginx."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct

from portico.lessons.model import Lesson, Question, lesson, question

TITLE = "What the slash does"
_WORDS = (
    "The same location with and without a slash at the end. Each was tried in a private nginx, with an app that "
    "answers with the path that it sees, and with a folder of files."
)


class Variant(Struct, frozen=True):
    """One way to write it: the location's path, and what its `proxy_pass` or `alias` ends with."""

    location: str
    directive: str
    end: str
    asked: str
    why: str

    @property
    def target(self) -> str:
        return f"http://app{self.end}" if self.directive == "proxy_pass" else f"/srv/files{self.end}"

    @property
    def text(self) -> str:
        """As it is written in a file."""
        return f"location {self.location} {{ {self.directive} {self.target}; }}"


_REPLACED = "With a path after the address, nginx puts that path in the place of the location's own"
PASSES = (
    Variant("/shop/", "proxy_pass", "", "/shop/cart", "Without a path after the address, nginx passes it as it came."),
    Variant("/shop/", "proxy_pass", "/", "/shop/cart", f"{_REPLACED}: /shop/ becomes /."),
    Variant("/shop", "proxy_pass", "/", "/shop/cart", f"{_REPLACED}: /shop becomes /, and a slash follows."),
    Variant("/shop/", "proxy_pass", "/v2", "/shop/cart", f"{_REPLACED}: /shop/ becomes /v2, without a slash."),
)  # fmt: skip
_GLUED = "nginx puts the alias in the place of the location's path, letter by letter"
FILES = (
    Variant("/files/", "alias", "/", "/files/a.txt", f"{_GLUED}: /srv/files/ + a.txt."),
    Variant("/files/", "alias", "", "/files/a.txt", f"{_GLUED}: /srv/files + a.txt is the file /srv/filesa.txt."),
    Variant("/files", "alias", "/", "/files../settings.py",
            f"{_GLUED}: /srv/files/ + ../settings.py, which is outside the folder. Both ends need the slash."),
)  # fmt: skip


_SEE = "portico explain /etc/nginx/nginx.conf"


class Tried(Struct, frozen=True):
    """What really came of a variant: the path that the app saw, or the answer."""

    variant: Variant
    got: str


def slash(passes: Sequence[Tried], files: Sequence[Tried]) -> Lesson:
    return lesson(
        TITLE, _WORDS, [*(_pass(one, passes) for one in passes), *(_file(one, files) for one in files)]
    )


def _pass(one: Tried, all_of_them: Sequence[Tried]) -> Question | None:
    return question(
        f"{one.variant.text} gets GET {one.variant.asked}. Which path does the app see?",
        one.got,
        [other.got for other in all_of_them],
        "Is there a path after the address? Then it replaces what the location matched, and the rest is appended.",
        (f"The app saw {one.got}.", one.variant.why),
        _SEE,
    )


def _file(one: Tried, all_of_them: Sequence[Tried]) -> Question | None:
    return question(
        f"{one.variant.text} gets GET {one.variant.asked}. What does the client get?",
        one.got,
        [other.got for other in all_of_them],
        "Write the path of the file down: the alias, then what follows the location's path.",
        (f"The client got {one.got}.", one.variant.why),
        _SEE,
    )
