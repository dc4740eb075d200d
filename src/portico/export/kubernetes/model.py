"""What the objects of one site are made from: values only."""

from __future__ import annotations

from msgspec import Struct

from portico.export.before import Before
from portico.export.kubernetes.tree import Value
from portico.plan.subjects import Acme
from portico.plan.web.routing.model import Route

LISTEN, METRICS = 8080, 9145
"""The ports of a pod."""
SECRETS = "/run/secrets"


class SecretFile(Struct, frozen=True):
    """A file that the site reads: where it looks for it in the image, and its key in the Secret."""

    path: str
    key: str
    origin: str
    """Where the file is on this machine."""
    what: str


class Choices(Struct, frozen=True):
    """What a cluster or an environment may have differently: the chart's values."""

    repository: Value
    tag: Value
    domains: Value
    canonical: Value
    fewest: Value
    most: Value
    resources: Value
    environment: Value
    gateway_class: Value
    ingress_class: Value
    queue_metric: Value
    acme_server: Value


class Cluster(Struct, frozen=True):
    """One site in a cluster. `words` are those after `portico run` that are the same everywhere."""

    name: str
    """As Kubernetes allows it."""
    home: str
    """The site's directory in the image."""
    words: tuple[str, ...]
    choices: Choices
    path: str
    """The prefix of the site's URLs: "/" or "/shop"."""
    health_path: str
    health_host: str
    """A Host that the health path needs; empty if any is answered."""
    start_seconds: int
    grace_seconds: int
    is_single: bool
    """Several pods would be wrong: the app keeps state in one process."""
    has_https: bool
    has_certificate: bool
    """cert-manager makes it."""
    acme: Acme | None
    has_metrics: bool
    secrets: tuple[SecretFile, ...]
    fronts: tuple[str, ...]
    """The objects of the sites that route here (`routed_by`): their HTTPRoutes are the only way in."""
    before: Before | None
    """The command that runs once before a release."""
    routes: tuple[Route, ...]
    """The rules of [[route]] in the order in which they are tried; none if all of them stay within the pod."""
    notes: tuple[str, ...]
    found: tuple[str, ...]
    """The notes about what was found in this site: they need a decision."""
