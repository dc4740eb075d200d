"""What the user's own blocks drop or let through by accident."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from msgspec import Struct

from portico.errors import Problem
from portico.plan.gateway.nginx.app.link import dialect
from portico.plan.gateway.nginx.entry.trust import scheme
from portico.plan.gateway.nginx.headers import of_app
from portico.plan.gateway.nginx.syntax import Directive, render
from portico.plan.web.model import Web
from portico.site.own.model import Own
from portico.site.own.nginx.syntax import Statement, line_of, statements

_MERGES_SINCE = (1, 29, 3)
_BLOCKS = ("location", "if", "server", "limit_except")
_SETS = {
    "proxy_pass": "proxy_set_header", "grpc_pass": "grpc_set_header", "uwsgi_pass": "uwsgi_param",
    "fastcgi_pass": "fastcgi_param", "scgi_pass": "scgi_param",
}  # fmt: skip
"""The directives that pass a request on, and those that set its headers."""
_APPENDS = "$proxy_add_x_forwarded_for"
"""The client's header, with the client's address appended."""


class _Block(Struct, frozen=True):
    """A block of the user's own, and the blocks around it."""

    own: Own
    chain: tuple[Statement, ...]

    @property
    def here(self) -> Statement:
        return self.chain[-1]

    @property
    def title(self) -> str:
        return " ".join((self.here.name, *self.here.args))

    def where(self, one: Statement) -> str:
        """Its line in portico.toml, or in a file that portico.toml names."""
        line = line_of(self.own.text, one.words[0].start)
        return (
            self.own.causes[min(line, len(self.own.causes) - 1)].partition(": ")[0] if self.own.causes else ""
        )


def own_risks(web: Web) -> list[Problem]:
    """Blocks that drop the headers of every answer, and those that pass on a client's own claims."""
    return [
        problem
        for own in web.own.all
        for block in _blocks(own)
        for problem in (*_loses(web, block), *_forwards(web, block))
    ]


def _blocks(own: Own) -> Iterator[_Block]:
    for one in statements(own.text) or ():
        yield from _inside(own, (one,))


def _inside(own: Own, chain: tuple[Statement, ...]) -> Iterator[_Block]:
    if chain[-1].block is None or chain[-1].name not in _BLOCKS:
        return
    yield _Block(own, chain)
    for one in chain[-1].block:
        yield from _inside(own, (*chain, one))


def _loses(web: Web, block: _Block) -> Iterator[Problem]:
    added = _named(block.here, "add_header")
    if not added or block.chain[0].name == "server" or _merges(web, block):
        return
    known = {one.args[0].lower() for one in added if one.args}
    lost = [one for one in of_app(web) if (name := _header(one)) and name.lower() not in known]
    if not lost:
        return
    names = ", ".join(dict.fromkeys(map(_header, lost)))
    what = f"{block.title} adds a header, and nginx then leaves out those of every answer: {names}"
    hint = "add this to the block: add_header_inherit merge;"
    if not web.place.gateway.since(*_MERGES_SINCE):
        hint = "\n".join(["repeat them in the block:", *_lines(lost)])
    yield Problem(block.where(added[0]), what, hint)


def _header(one: Directive) -> str:
    words = one.users or (one.name, *one.args)
    return words[1] if words[0] == "add_header" and len(words) > 1 else ""


def _merges(web: Web, block: _Block) -> bool:
    """Whether nginx adds the headers of the levels above."""
    above = [one for own in web.own.all for one in statements(own.text) or () if one.block is None]
    levels = [*above, *(one for level in block.chain for one in level.block or ())]
    said = [one.args for one in levels if one.name == "add_header_inherit"]
    return bool(said) and said[-1] == ("merge",)


def _forwards(web: Web, block: _Block) -> Iterator[Problem]:
    for one in block.here.block or ():
        if one.name not in _SETS or _is_headless(block, one.name):
            continue
        setter = _SETS[one.name]
        said = _said(web, block, setter)
        if said is None:
            continue
        wanted = {_key(setter, name): value for name, value in _told(web).items()}
        forged = {key: value for key, value in wanted.items() if said.get(key.lower(), _APPENDS) == _APPENDS}
        if forged:
            names = ", ".join(name for name in _told(web) if _key(setter, name) in forged)
            what = (
                f"{block.title}: {one.name} hands on what a client itself says in {names}: a stranger can name "
                "any address there"
            )
            lines = [Directive(setter, (key, value)) for key, value in forged.items()]
            yield Problem(block.where(one), what, "\n".join(["say them in the block:", *_lines(lines)]))


def _told(web: Web) -> dict[str, str]:
    """The headers by which an app learns who the client is, and their safe values."""
    return {
        "X-Forwarded-For": "$remote_addr", "X-Real-IP": "$remote_addr", "X-Forwarded-Proto": scheme(web),
        "X-Forwarded-Host": "$host",
    }  # fmt: skip


def _key(setter: str, name: str) -> str:
    return name if setter.endswith("_header") else f"HTTP_{name.upper().replace('-', '_')}"


def _said(web: Web, block: _Block, setter: str) -> dict[str, str] | None:
    """The headers of the nearest level that sets any: nginx ignores the others. None if that level is Portico's own."""
    for level in reversed(block.chain):
        if found := _named(level, setter):
            return {one.args[0].lower(): one.args[1] for one in found if len(one.args) > 1}
    if block.chain[0].name != "server" and setter.startswith(f"{dialect(web)}_"):
        return None
    beside = [one for own in web.own.all for one in statements(own.text) or () if one.name == setter]
    return {one.args[0].lower(): one.args[1] for one in beside if len(one.args) > 1}


def _is_headless(block: _Block, passes: str) -> bool:
    """Whether no header of the client is passed on at all."""
    name = f"{passes.removesuffix('_pass')}_pass_request_headers"
    return any(one.args == ("off",) for level in block.chain for one in _named(level, name))


def _named(level: Statement, name: str) -> list[Statement]:
    return [one for one in level.block or () if one.name == name]


def _lines(made: Iterable[Directive]) -> list[str]:
    return [line.text for line in render(made)]
