"""Places that cannot be probed from here: a container, a pod, a plain host, a service that systemd starts. Pure.

Facts that are unknown before it runs there (name servers, the size of the disk) are omitted, so the plan does
without them.
"""

from __future__ import annotations

from msgspec.structs import replace

from portico.app_servers.kinds import KINDS
from portico.place.model import Build, Place

RUNTIME, STATE = "/run", "/var/lib"
"""The parents of a service's directories: those of systemd's `RuntimeDirectory=` and `StateDirectory=`."""
_OPEN_FILES = 524288
"""The hard limit that systemd sets, and containerd 2 with it; older ones set more. systemd-system.conf(5)."""
_WAITING = 4096
"""net.core.somaxconn since Linux 5.4, in each new network namespace, too."""
_THERE = "installed"
"""Replaces a version: what the site asks for is assumed to exist."""
_DEBIANS_AUTHORITIES = "/etc/ssl/certs/ca-certificates.crt"


def container(key: str, gateway: Build, cpus: float, memory: int) -> Place:
    """An image that starts as root and whose app belongs to root, as after COPY; `memory` in bytes.

    `key` is the name of the site's directories.
    """
    return replace(
        _elsewhere(key, gateway, cpus, memory, "the container's limit"),
        app_user="nobody",
        app_user_why="the app's directory belongs to root",
        is_container=True,
    )


def pod(key: str, gateway: Build, cpus: float, memory: int, user: str = "1000") -> Place:
    """A pod as the profile "restricted" of Kubernetes has it: `user` is not root.

    https://kubernetes.io/docs/concepts/security/pod-security-standards/
    """
    return replace(
        _elsewhere(key, gateway, cpus, memory, "the pod's limit"),
        user=user,
        gateway_user="",
        gateway_group="",
        is_container=True,
    )


def host(key: str, gateway: Build, cpus: float, memory: int, app_user: str) -> Place:
    """A machine with Debian or Ubuntu where root starts Portico, and `app_user` runs the app."""
    return replace(
        _elsewhere(key, gateway, cpus, memory, "as said"),
        app_user=app_user,
        app_user_why="as you said",
        has_ipv6=True,
    )


def service(here: Place, unit: str, user: str) -> Place:
    """This machine as a systemd unit sees it: its own directories, and nothing of the exporting shell.

    Without a `user` systemd creates one. The readable folders are those found here.
    """
    key = here.runtime.rpartition("/")[2]
    place = replace(
        here,
        runtime=f"{RUNTIME}/{unit}/{key}",
        state=f"{STATE}/{unit}/{key}",
        real_state="" if user else f"{STATE}/private/{unit}/{key}",
        user=user or unit,
        ends_with_session=False,
        variables_of_tools=(),
        port_of_platform="",
    )
    if place.is_root:
        return place
    return replace(
        place,
        gateway_user="",
        gateway_group="",
        app_user="",
        app_user_why="",
        app_groups=frozenset(),
        app_env={},
    )


def _elsewhere(key: str, gateway: Build, cpus: float, memory: int, source: str) -> Place:
    return Place(
        gateway=gateway,
        runtime=f"{RUNTIME}/portico/{key}",
        state=f"{STATE}/portico/{key}",
        python="python3",
        app_servers={kind.name: _THERE for kind in KINDS},
        otlp=_THERE,
        cpus=cpus,
        cpus_source=source,
        memory=memory,
        memory_source=source,
        somaxconn=_WAITING,
        file_limit=_OPEN_FILES,
        user="root",
        gateway_user="www-data",
        gateway_group="www-data",
        # Docker and most clusters give a container none unless they are told to.
        has_ipv6=False,
        shared_memory="/dev/shm",  # noqa: S108  Linux's name for it
        known_hosts=frozenset({"localhost"}),
        ca_file=_DEBIANS_AUTHORITIES,
    )
