"""Every virtual host of an httpd configuration, as sites of Portico."""

from __future__ import annotations

from portico.explain.adopted import Adopted, AdoptedSite
from portico.explain.httpd.servers import hosts_of, names_of
from portico.explain.node import Node


def adopted(root: Node) -> Adopted:
    """The sites of a configuration; none can be served yet."""
    why = "Portico reads and explains this configuration, but does not turn it into its own yet"
    hosts = hosts_of(root) or [root]
    return Adopted(
        tuple(AdoptedSite(names_of(host)[0] or "site", host.place, (), refused=why) for host in hosts)
    )
