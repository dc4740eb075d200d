"""What the gateway's build cannot do about headers."""

from __future__ import annotations

from collections.abc import Iterator

from portico.plan.web.model import Web


def named_server(web: Web) -> Iterator[str]:
    """A header that was to be removed and stays."""
    if web.headers.lacks_ability:
        yield (
            f"answers say `Server: nginx`, without a version: nginx {web.place.nginx.described} cannot leave it out, "
            "the one that comes with Portico can (--nginx embedded)"
        )
