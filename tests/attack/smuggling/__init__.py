"""A stranger hides one request in another: client, nginx and app are compared, request by request.

Each case is a connection from an address of its own. What a strict reader makes of its bytes (`reading`), what nginx's
log says, and what the app recorded must be the same requests, by id, with the same bodies.
"""

from __future__ import annotations

from collections.abc import Iterator

from tests.attack.smuggling import http1, http2
from tests.attack.smuggling.corpus import cases
from tests.attack.smuggling.mutations import mutations
from tests.attack.target import Target

MUTATIONS = 150
"""Of each site, each time; `make smuggling` sends more, of other seeds."""


def attack(target: Target, seed: int = 1, count: int = MUTATIONS) -> Iterator[tuple[str, str]]:
    """(case, finding or "") for the corpora and so many of their neighbours; over HTTP/2 where the site has it."""
    if target.secure:
        yield from http2.compared(target, [*http2.cases(), *http2.mutations(seed, count)])
    else:
        yield from http1.compared(target, [*cases(), *mutations(seed, count)])
