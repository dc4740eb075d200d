"""Names that Kubernetes allows."""

from __future__ import annotations

import re

MOST_LETTERS = 40
"""Of an object's name: suffixes and the ends of pods' names fit into 63 (RFC 1035)."""
HOST = re.compile(r"(\*\.)?[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
_ADDRESS = re.compile(r"[0-9.]+")


def object_name(name: str) -> str:
    """The name of a site, as a Service may have it."""
    made = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")
    return (made if made[:1].isalpha() else f"site-{made}")[:MOST_LETTERS].rstrip("-")


def is_host(name: str) -> bool:
    """Whether an HTTPRoute and an Ingress may have that name: no address and no port."""
    return HOST.fullmatch(name) is not None and not _ADDRESS.fullmatch(name)


def key(path: str) -> str:
    """The name of a file as the key of a Secret."""
    return re.sub(r"[^-._a-zA-Z0-9]", "-", path.rpartition("/")[2]) or "file"
