"""A hand-written configuration as options of Portico: what was understood, what is kept, what cannot be kept."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from enum import StrEnum

from msgspec import Struct, field
from msgspec.structs import replace

Value = str | int | bool | tuple[str, ...]
"""A value of portico.toml; a tuple is an array of strings."""
Key = tuple[str, ...]
"""The path to a value: `("domains",)`, `("https", "cert")`, `("static", "/media/")`, `("access", "/a", "allow")`,
`("route", "1", "to")`: the rules of [[route]] are numbered from 1."""


class Option(Struct, frozen=True):
    """One option, the lines it comes from (`file:line`), and how its effect differs; empty if it does not."""

    key: Key
    value: Value
    cause: str
    text: str
    differs: str = ""


class Fate(StrEnum):
    """What becomes of a line that is no option."""

    BUILT_IN = "built in"
    """Portico does the same without being asked."""
    IMPROVED = "improved"
    """Portico does something better in its place."""
    LOST = "lost"
    """Portico cannot keep it."""


class Remark(Struct, frozen=True):
    """A line that is no option: `why` is a clause, `do` what the user may do about it."""

    fate: Fate
    cause: str
    text: str
    why: str
    do: str = ""


class Kept(Struct, frozen=True):
    """Lines that are kept verbatim, as directives of the user's own.

    `is_above` places them above the site's server (`[nginx] http`). `passes` are the addresses to which they pass
    requests, as in an option `upstream.servers`. `text` is in the gateway's language.
    """

    text: str
    cause: str
    is_above: bool = False
    passes: tuple[str, ...] = ()


class AdoptedSite(Struct, frozen=True):
    """One site: the content of its portico.toml, and what became of the rest.

    `refused` says why the site as a whole cannot be served; empty if it can. `mount_stripped` is the prefix that the
    configuration removes from paths before the app gets them: only a local app can be served that way. `public` is a
    folder whose files lie at the root of the site, before the app, and the line that names it. `directory` is where the
    modules of `app` are found; empty if the configuration names no app.
    """

    name: str
    cause: str
    options: tuple[Option, ...]
    kept: tuple[Kept, ...] = ()
    remarks: tuple[Remark, ...] = ()
    refused: str = ""
    mount_stripped: str = ""
    public: tuple[str, str] = ("", "")
    directory: str = ""

    def value(self, *key: str) -> Value | None:
        """The value of an option; None if it is not set."""
        return next((one.value for one in self.options if one.key == key), None)


class Adopted(Struct, frozen=True):
    """Every site of a configuration, and the lines that belong to none of them."""

    sites: tuple[AdoptedSite, ...]
    remarks: tuple[Remark, ...] = ()


class Draft(Struct):
    """A site while its lines are read."""

    name: str
    cause: str
    options: dict[Key, Option] = field(default_factory=dict)
    kept: list[Kept] = field(default_factory=list)
    remarks: list[Remark] = field(default_factory=list)
    refused: str = ""
    mount_stripped: str = ""
    public: tuple[str, str] = ("", "")
    directory: str = ""

    def set(self, key: Key, value: Value, cause: str, text: str, differs: str = "") -> None:
        """Set an option; a list grows, and of two values for anything else the first stays."""
        old = self.options.get(key)
        if old is not None and isinstance(old.value, tuple) and isinstance(value, tuple):
            new = tuple(dict.fromkeys((*old.value, *value)))
            self.options[key] = Option(key, new, old.cause, old.text, old.differs or differs)
        elif old is None:
            self.options[key] = Option(key, value, cause, text, differs)

    def route(
        self, path: str, to: str, cause: str, text: str, *, strips: bool = False, differs: str = ""
    ) -> None:
        """Add a rule of [[route]]; of two for the same path the first stays."""
        if any(
            key[:1] == ("route",) and one.value == path
            for key, one in self.options.items()
            if key[-1] == "path"
        ):
            return
        number = str(1 + sum(key[:1] == ("route",) and key[-1] == "path" for key in self.options))
        self.set(("route", number, "path"), path, cause, text, differs)
        self.set(("route", number, "to"), to, cause, text)
        if strips:
            self.set(("route", number, "strip"), True, cause, text)

    def remark(self, fate: Fate, cause: str, text: str, why: str, do: str = "") -> None:
        """Say what becomes of a line, once."""
        made = Remark(fate, cause, text, why, do)
        if made not in self.remarks:
            self.remarks.append(made)

    def keep(self, text: str, cause: str, passes: tuple[str, ...] = (), *, is_above: bool = False) -> None:
        """Keep lines verbatim, once."""
        if not any(one.text == text and one.is_above == is_above for one in self.kept):
            self.kept.append(Kept(text, cause, is_above, passes))

    def done(self) -> AdoptedSite:
        """The finished site."""
        return AdoptedSite(
            self.name, self.cause, tuple(self.options.values()), tuple(self.kept), tuple(self.remarks),
            self.refused, self.mount_stripped, self.public, self.directory,
        )  # fmt: skip


def numbered(options: Iterable[Option]) -> Iterator[Option]:
    """The same options, with the rules of [[route]] numbered from 1."""
    given = tuple(options)
    old = list(dict.fromkeys(one.key[1] for one in given if one.key[0] == "route"))
    for one in given:
        is_rule = one.key[0] == "route"
        yield replace(one, key=("route", str(old.index(one.key[1]) + 1), one.key[2])) if is_rule else one


def unique_names(names: Mapping[int, str]) -> dict[int, str]:
    """The same names, with a number after those that occur twice."""
    taken, made = set[str](), dict[int, str]()
    for at, name in names.items():
        number, new = 2, name
        while new in taken:
            new, number = f"{name}-{number}", number + 1
        taken.add(new)
        made[at] = new
    return made
