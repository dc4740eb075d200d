"""proxy_cache and its like."""

from __future__ import annotations

from portico.explain.nginx.adopt.quantities import bytes_of, duration, seconds, size
from portico.explain.nginx.adopt.work import Work
from portico.explain.node import Node


def adopt_cache(work: Work, node: Node, rules: tuple[str, ...]) -> None:
    """The time for which answers are stored; the app decides if there is none."""
    family = node.name.partition("_")[0]
    if node.args[:1] == ("off",):
        work.built_in(node, "only what the app marks public is stored")
        return
    zones = work.view.inherited(f"{family}_cache_path")
    path = next(
        (one for one in zones if any(word.startswith(f"keys_zone={node.args[0]}:") for word in one.args)),
        None,
    )
    most = next((word[9:] for word in path.args if word.startswith("max_size=")), "") if path else ""
    if path is not None and most and (value := bytes_of(most)):
        work.option(("cache", "size"), size(value), path)
    valid = [
        one
        for one in _near(work, node, f"{family}_cache_valid")
        if len(one.args) == 1 or "200" in one.args or "any" in one.args
    ]
    time = seconds(valid[0].args[-1]) if valid else None
    if valid and time:
        differs = "never those with Set-Cookie, private or no-store, nor to a request with Authorization"
        for rule in rules or ("/", "/<path:rest>"):
            work.option(("routes", rule, "cache"), duration(time), valid[0], differs)
    else:
        work.improved(node, "what the app marks public or s-maxage is stored, without an option")
    for name in ("cache_bypass", "no_cache"):
        for one in _near(work, node, f"{family}_{name}"):
            work.lost(
                one,
                "a route's cache has no such condition",
                'vary = ["cookie:NAME"] keeps an answer for each value',
            )
    work.seen.add(node)


def _near(work: Work, node: Node, name: str) -> list[Node]:
    """The directives of that name beside this one, else those around it."""
    for level in (*work.view.locations, work.view.node):
        if node in (level.children or ()) and (found := level.all(name)):
            return found
    return work.view.inherited(name)
