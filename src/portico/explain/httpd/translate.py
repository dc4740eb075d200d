"""From a path to what answers it: server/request.c, with the modules that take part in its order."""

from __future__ import annotations

from msgspec import Struct, field

from portico.explain.httpd import rewrite, sections, sources
from portico.explain.httpd.blocks import every, last, latest
from portico.explain.httpd.known import Known
from portico.explain.httpd.sources import Line
from portico.explain.node import Node

_MOST_REDIRECTS = 10
"""LimitInternalRecursion."""


class Answer(Struct):
    """What answers, and why. `path` is the file, or `url` the address behind a proxy; `blocks` hold for the request,
    in the order of their merge.
    """

    node: Node | None
    why: str
    path: str = ""
    url: str = ""
    blocks: list[Node] = field(default_factory=list)
    is_early: bool = False
    """It answers before anything asks who may come."""
    failed: dict[Node, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


def answer(servers: list[Node], uri: str, known: Known) -> Answer:
    """The answer to a path, after the internal redirects of rules in directories."""
    notes, failed = list[str](), dict[Node, str]()
    for _ in range(_MOST_REDIRECTS):
        found = _mapped(servers, uri, known)
        if not found.is_early:
            found, again = _fixed(servers, found, uri, known)
            if again is not None:
                notes += [*found.notes, f"{_text(found.node)} sends the path {uri} on to {again}"]
                failed |= found.failed
                uri = again
                known = known.with_(REQUEST_URI=uri)
                continue
        found.notes = [*notes, *found.notes]
        found.failed = failed | found.failed
        return found
    return Answer(
        None, "rules send the path in a circle: httpd answers 500", is_early=True, notes=notes, failed=failed
    )


def _mapped(servers: list[Node], uri: str, known: Known) -> Answer:
    """translate_name: mod_rewrite, mod_proxy, mod_alias, mod_wsgi, then DocumentRoot."""
    rules = rewrite.rules_for(servers)
    new = rewrite.rewritten(rules, uri, known.with_env(rewrite.variables(rules, servers)))
    notes = _unknown(new.undecided)
    if made := _rewritten(new, uri):
        made.failed, made.notes = new.failed, notes
        made.blocks = _merged(servers, made, uri, known)
        return made
    path = new.uri if new.how == "through" else uri
    if path != uri:
        notes.append(f"{_text(new.node)} makes {path} of {uri}, and the other lines map that")
    blocks = sections.locations(servers, path)
    if new.how == "path":
        made = _file(
            servers, new.uri, new.node, f"it makes {new.uri} of {uri}, and without [PT] no other line maps it"
        )
    else:
        made = _translated(servers, blocks, path)
    made.failed, made.notes = new.failed | made.failed, notes
    made.blocks = _merged(servers, made, uri if made.is_early else path, known)
    return made


def _rewritten(new: rewrite.Rewritten, uri: str) -> Answer | None:
    """The answer of a rule by itself."""
    if new.how == "redirect":
        return Answer(new.node, f"it redirects {uri} to {new.uri} with {new.status}", is_early=True)
    if new.how == "refused":
        return Answer(new.node, f"it refuses {uri} with {new.status}", is_early=True)
    if new.how == "proxy":
        return Answer(new.node, f"it passes {uri} on to {new.uri}", url=new.uri)
    return None


def _translated(servers: list[Node], blocks: list[Node], uri: str) -> Answer:
    exception: Line | None = None
    own = sources.of_blocks(blocks, sources.PROXIES)[-1:]
    for line in [*own, *sources.of_servers(servers, sources.PROXIES)]:
        to = line.leads(uri)
        if to is None:
            continue
        if line.target == "!":
            exception = line
            break
        return Answer(line.node, f"it is the first that takes {uri}, and passes it on to {to}", url=to)
    made = _aliased(servers, blocks, uri)
    if exception:
        made.failed[exception.node] = f"it keeps {uri} from being passed on"
        kept = f"matches as well, but {exception.node.text} keeps {uri} from being passed on"
        later = (
            line.node for line in sources.of_servers(servers, sources.PROXIES) if line.leads(uri) is not None
        )
        made.failed |= {node: kept for node in later if node is not exception.node}
    return made


def _aliased(servers: list[Node], blocks: list[Node], uri: str) -> Answer:
    for line in sources.of_servers(servers, sources.REDIRECTS):
        if (to := line.leads(uri)) is not None:
            return _redirects(line, uri, to)
    for line in [
        *reversed(sources.of_blocks(blocks, sources.ALIASES)),
        *sources.of_servers(servers, sources.ALIASES),
    ]:
        if (to := line.leads(uri)) is not None:
            return Answer(line.node, f"it is the first that maps {uri}, to {to}", path=to)
    for line in sources.of_servers(servers, sources.WSGI):
        if (to := line.leads(uri)) is not None:
            return Answer(
                line.node, f"it is the first that gives {uri} to an app, {line.target}", path=line.target
            )
    return _file(servers, uri, None, "no other line maps the path")


def _redirects(line: Line, uri: str, to: str) -> Answer:
    how = f"it redirects {uri} to {to} with {line.status}" if line.status.startswith("3") else (
        f"it answers {uri} with {line.status}"
    )  # fmt: skip
    return Answer(line.node, how, is_early=True)


def _file(servers: list[Node], uri: str, node: Node | None, why: str) -> Answer:
    root = sources.document_root(servers)
    folder = root.args[0].rstrip("/") if root and root.args else ""
    path = uri if folder and uri.startswith(f"{folder}/") else folder + uri
    if node is None and root is None:
        why = "there is no DocumentRoot: the program's own is used"
    return Answer(node or root, why, path=path)


def _merged(servers: list[Node], made: Answer, uri: str, known: Known) -> list[Node]:
    """The blocks for a mapped path: those of its directory or its proxy, of its file, of its path, then <If>."""
    if made.is_early:
        inner = []
    elif made.url:
        inner = sections.proxies(servers, made.url)
    else:
        folders = sections.directories(servers, made.path)
        inner = [*folders, *sections.files([*servers, *folders], made.path)]
    blocks = [*inner, *sections.locations(servers, uri)]
    unknown = list[Node]()
    here = known.with_(REQUEST_URI=uri)
    blocks += sections.ifs([*servers, *blocks], here, unknown)
    made.notes += [
        f"whether <{node.text}> ({node.place}) holds is not known: taken as if it did not" for node in unknown
    ]
    return blocks


# What directories change afterwards -----------------------------------------------------------------------------


def _fixed(servers: list[Node], made: Answer, uri: str, known: Known) -> tuple[Answer, str | None]:
    """The fixups: rules and redirects within blocks, SetHandler; or a new path, for which all begins again."""
    changed, again = _rules(servers, made, uri, known)
    if changed or again is not None:
        return changed or made, again
    for line in reversed(sources.of_blocks(made.blocks, sources.REDIRECTS)):
        if (to := line.leads(uri)) is not None:
            return _kept(made, _redirects(line, uri, to)), None
    handler = latest([*servers, *made.blocks], "SetHandler")
    if handler is not None and sources.is_handler(handler) and not made.url:
        what = handler.args[0]
        url = what.removeprefix("proxy:") if what.startswith("proxy:") else ""
        why = f"it passes {made.path} on to {url}" if url else f"{what} answers in place of a file"
        return _kept(made, Answer(handler, why, path=made.path, url=url)), None
    return made, None


def _kept(made: Answer, new: Answer) -> Answer:
    new.blocks, new.failed, new.notes, new.is_early = made.blocks, made.failed, made.notes, False
    return new


def _rules(servers: list[Node], made: Answer, uri: str, known: Known) -> tuple[Answer | None, str | None]:
    """The rules of the innermost block that has any."""
    block = next(
        (one for one in reversed(made.blocks) if any(c.name.startswith("Rewrite") for c in every_line(one))),
        None,
    )
    if block is None or not rewrite.is_on_in(_engine(made.blocks)):
        return None, None
    subject, base = _subject(servers, block, made)
    new = rewrite.rewritten(rewrite.rules_of(block), subject, known, base)
    made.failed |= new.failed
    made.notes += _unknown(new.undecided)
    if done := _rewritten(new, uri):
        return _kept(made, done), None
    if new.how in ("path", "through") and new.uri != uri:
        made.node = new.node
        return None, new.uri
    return None, None


def every_line(block: Node) -> list[Node]:
    return every(block, "RewriteRule", "RewriteEngine", "RewriteOptions", "RewriteBase", "RewriteCond")


def _engine(blocks: list[Node]) -> Node:
    """A block with the RewriteEngine in force among these."""
    found = latest(blocks, "RewriteEngine")
    return Node("", children=(found,) if found else ())


def _subject(servers: list[Node], block: Node, made: Answer) -> tuple[str, str]:
    """What the rules of a block are compared with, and what comes before a new path."""
    if made.url:
        return f"proxy:{made.url}", ""
    folder = sections.pattern_of(block)[0].rstrip("/") + "/"
    subject = made.path.removeprefix(folder) if block.name == "Directory" else made.path
    root = sources.document_root(servers)
    base = last(block, "RewriteBase")
    if base and base.args:
        return subject, base.args[0]
    below = folder.removeprefix(root.args[0].rstrip("/")) if root and root.args else folder
    return subject, below


def _unknown(rules: list[Node]) -> list[str]:
    """One note for all of them."""
    if not rules:
        return []
    what = ", ".join(f"{_text(node)} ({node.place})" for node in rules)
    verb, they = ("depends", "it") if len(rules) == 1 else ("depend", "they")
    return [f"{what} {verb} on more than the request line: taken as if {they} did nothing"]


def _text(node: Node | None) -> str:
    return node.text if node else "httpd"
