"""The files of the user's own directives: entries that are files are read, `include` too, and paths become absolute.

nginx resolves relative paths from the directory of its nginx.conf, which is one of Portico's. Here they are relative
to the site's directory, as every path of portico.toml is.
"""

from __future__ import annotations

import glob
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from msgspec import Struct, field

from portico.errors import Problem
from portico.reading import Reader, doubt
from portico.site.own.model import Own, OwnFile
from portico.site.own.nginx.syntax import Statement, Word, every, line_of, own, statements

_MASTERS = frozenset({
    "ssl_certificate", "ssl_certificate_key", "ssl_client_certificate", "ssl_trusted_certificate", "ssl_crl",
    "ssl_dhparam", "ssl_password_file", "ssl_session_ticket_key", "ssl_stapling_file", "ssl_ech_file",
    "geoip_country", "geoip_city", "geoip_org", "xslt_stylesheet", "xml_entities", "auth_jwt_key_file",
    *(
        f"{link}_ssl_{name}"
        for link in ("proxy", "uwsgi", "grpc")
        for name in ("certificate", "certificate_key", "trusted_certificate", "crl", "password_file")
    ),
})  # fmt: skip
"""Directives whose file nginx's master reads, as the user that started Portico."""
_WORKERS = frozenset({"auth_basic_user_file", "root", "alias"})
"""Directives whose file or directory nginx's workers read."""
_WRITTEN = re.compile(r"(?:access|error)_log|\w+_(?:temp|cache)_path|\w+_store")
_CODE = re.compile(r"\w+_by_lua_file|perl_require|modsecurity_rules_file")
"""Directives whose file is code, or other directives, that nginx executes."""
_NAMES = re.compile(
    rf"(?<![\w$./-])(?:include|{'|'.join(sorted(_MASTERS))}|{_WRITTEN.pattern}|{_CODE.pattern})(?=\s)"
)
"""Finds a directive that names a file in text that cannot be parsed."""
_NO_PATH = re.compile(r"|on|off|stderr|(?:syslog|memory|data|engine|store):.*", re.DOTALL)
_NEEDS_QUOTES = re.compile(r"""[\s;{}"'\\]""")
_NGINXS = "/etc/nginx"
_DEEPEST = 8
"""The longest chain of files that include each other."""


class Reading(Struct):
    """One reading of a site's directives; it adds to `problems` and `files`."""

    directory: Path
    causes: Mapping[str, str]
    reader: Reader
    problems: list[Problem]
    files: list[OwnFile] = field(default_factory=list)

    def of(self, entries: Sequence[str], key: str) -> Iterator[Own]:
        """The directives of one option."""
        for number, entry in enumerate(entries):
            said = self.causes.get(f"{key}[{number}]") or self.causes.get(key, key)
            lines = said.split("\n")
            name, above = entry.strip(), tuple[str, ...]()
            if name.endswith(".conf") and "\n" not in name:
                above = (str(self.directory / name),)
                text, places = self._file(self.directory / name, lines[0], key) or ("", [])
            else:
                more = entry.count("\n") + 1 - len(lines)
                text, places = entry, lines + lines[-1:] * more
            text, places = self._read(text, places, key, above)
            yield from own(text, [f"{place}: {key}" for place in places])

    def _file(self, path: Path, where: str, key: str) -> tuple[str, list[str]] | None:
        """The file's text and the place of each line. nginx executes it, so root ignores another user's file."""
        if self._is_doubtful(path, where, key):
            return None
        try:
            text = self.reader.text(path).rstrip("\n")
        except OSError as error:
            what = f'"{path}" cannot be read{self.reader.as_whom(path)}: {error.strerror}'
            self.problems.append(Problem(where, what, self._hint(path)))
        except UnicodeDecodeError:
            self.problems.append(Problem(where, f'"{path}" is not UTF-8 text', "save it as UTF-8"))
        except ValueError as error:
            what = f"{str(path)!r} cannot be read: {error}"
            self.problems.append(Problem(where, what, "name a file that exists"))
        else:
            return text, [f"{path.name}:{line} ({where})" for line in range(1, text.count("\n") + 2)]
        return None

    def _is_doubtful(self, path: Path, where: str, name: str, place: str = "/etc/portico") -> bool:
        try:
            why = doubt(path) if self.reader.user else ""
        except ValueError:
            return False  # no path contains that character; opening it reports the error
        if not why:
            return False
        what = f'{name}: "{path}" counts only if root alone can change it; {why}'
        hint = f"move it to where root alone can write, such as {place}"
        self.problems.append(Problem(where, what, hint))
        return True

    def _hint(self, path: Path) -> str:
        its = Path(_NGINXS, path.name)
        hint = f"name a readable file; relative paths start at {self.directory}"
        return f"{hint}\nor a file of nginx's own: {its}" if path != its and its.exists() else hint

    def _read(self, text: str, places: list[str], key: str, above: tuple[str, ...]) -> tuple[str, list[str]]:
        """The text as nginx gets it; `above` is the chain of including files."""
        if statements(text) is None:
            self._refuse_unseen(text, places, key)
        return self._with_included(self._with_paths(text, places), places, key, above)

    def _refuse_unseen(self, text: str, places: list[str], key: str) -> None:
        """nginx would open files of unparsed text as root, although nobody checked who else can change them."""
        if not self.reader.user or (found := _NAMES.search(text)) is None:
            return
        what = f'{key}: "{found[0]}" is in text that cannot be parsed (Lua, a brace too many)'
        hint = (
            "Portico is root and must know who can change that file\n"
            "put the directive in an entry of its own, or the Lua code in a file (content_by_lua_file)"
        )
        self.problems.append(Problem(places[line_of(text, found.start())], what, hint))

    def _with_included(
        self, text: str, places: list[str], key: str, above: tuple[str, ...]
    ) -> tuple[str, list[str]]:
        """The text with each `include` replaced by the text of its files."""
        found = [one for one in every(statements(text) or ()) if one.name == "include" and one.block is None]
        for one in reversed(found):
            first, last = line_of(text, one.words[0].start), line_of(text, one.words[-1].end)
            inner = self._included(one, places[first], key, above)
            if inner is not None:
                begin, end = one.words[0].start, text.index(";", one.words[-1].end) + 1
                text = f"{text[:begin]}\n{inner[0]}\n{text[end:]}"
                places = [*places[: first + 1], *inner[1], *places[last:]]
        return text, places

    def _included(
        self, one: Statement, where: str, key: str, above: tuple[str, ...]
    ) -> tuple[str, list[str]] | None:
        if len(one.args) != 1:
            return None  # nginx reports it
        path = str(self.directory / one.args[0])
        paths = sorted(glob.glob(path)) if glob.has_magic(path) else [path]  # noqa: PTH207  as nginx, with its order
        texts, lines = list[str](), list[str]()
        for each in paths:
            text, places = "", [where]
            if not self._is_endless(each, where, above):
                text, places = self._file(Path(each), where, key) or (text, places)
                text, places = self._read(text, places, key, (*above, each))
            texts.append(text)
            lines += places
        return "\n".join(texts), lines or [where]

    def _is_endless(self, path: str, where: str, above: tuple[str, ...]) -> bool:
        """A device that nginx would read without end."""
        if path in above:
            what, hint = f'"{path}" includes itself', "remove that include"
        elif len(above) == _DEEPEST:
            what = f'"{path}" is nested in {_DEEPEST} includes, which is the limit'
            hint = "include it higher up"
        else:
            return False
        self.problems.append(Problem(where, what, hint))
        return True

    def _with_paths(self, text: str, places: list[str]) -> str:
        """The text with absolute paths; the files behind them are checked."""
        edits: list[tuple[Word, str]] = []
        for one in every(statements(text) or ()):
            if one.block is None and len(one.words) > 1 and _names_a_path(one):
                word = one.words[1]
                path = word.text if word.text.startswith("$") else str(self.directory / word.text)
                path += "/" * (word.text.endswith("/") and not path.endswith("/"))
                edits.append((word, path))
                self._look(one.name, path, places[line_of(text, word.start)])
        for word, path in reversed(edits):
            if path != word.text:
                text = text[: word.start] + _quoted(path) + text[word.end :]
        return text

    def _look(self, name: str, path: str, where: str) -> None:
        if "$" in path:
            return
        if _WRITTEN.fullmatch(name):
            # nginx's master opens it as root and hands it to nginx's user.
            if (above := Path(path).parent).exists():
                self._is_doubtful(above, where, name, place="/var/log/nginx")
        elif not Path(path).exists():
            self.problems.append(Problem(where, f'{name}: there is no "{path}"', self._hint(Path(path))))
        elif name in _WORKERS:
            self.files.append(OwnFile(path, name, where))
        else:
            self._is_doubtful(Path(path), where, name)


def _names_a_path(one: Statement) -> bool:
    is_path = one.name in _MASTERS or one.name in _WORKERS or _WRITTEN.fullmatch(one.name)
    is_path = is_path or _CODE.fullmatch(one.name)
    return bool(is_path) and not _NO_PATH.fullmatch(one.words[1].text)


def _quoted(path: str) -> str:
    if not _NEEDS_QUOTES.search(path):
        return path
    return '"' + path.replace("\\", "\\\\").replace('"', '\\"') + '"'
