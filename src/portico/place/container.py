"""Whether Portico runs in a container, whose loopback is private to it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

_FILES = (".dockerenv", "run/.containerenv")
"""Docker creates the first one, Podman the second."""
_IN_CGROUP = ("/docker/", "/docker-", "/kubepods", "/libpod", "/containerd")
"""In the path of a control group if the container sees the machine's."""
_OF_KUBERNETES = "KUBERNETES_SERVICE_HOST"


def is_container(environ: Mapping[str, str] = os.environ, root: Path = Path("/")) -> bool:
    """Detected by the files of Docker and Podman, Kubernetes' variable, or the name of the control group."""
    if _OF_KUBERNETES in environ or any((root / name).exists() for name in _FILES):
        return True
    try:
        groups = (root / "proc/self/cgroup").read_text()
    except (OSError, ValueError):
        return False
    return any(word in groups for word in _IN_CGROUP)
