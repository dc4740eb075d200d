"""Pods of an exported Deployment or Job, by `podman kube play`; a test does what a cluster would do with them.

podman 4.3 does not do all that a kubelet does: it has no preStop and asks no probes, it opens the ports of a pod on the
host, it leaves $$ in a command, pods share volumes of one name, and a Secret must be there even where it is optional,
and stays root's (fsGroup).
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import yaml

from tests.support.process import running
from tests.support.until import until

Podman = Callable[..., str]
_CONTROLLERS = """
made=
end() {
    for one in $made; do find "$one" -mindepth 1 -depth -type d -exec rmdir {} +; done
    sleep 1  # the kernel removes them later, and a hierarchy only if nothing is in it
    for one in $made; do umount "$one"; done
    exit 0
}
for one in /sys/fs/cgroup/*; do
    [ ! -L "$one" ] && ! mountpoint -q "$one" || continue
    mount -t cgroup -o "none,name=pods-$(basename "$one" | tr , -)" none "$one" && made="$made $one"
done
trap end TERM
echo ready
while :; do sleep 1; done
"""


@dataclass(frozen=True)
class Pods:
    podman: Podman
    objects: tuple[dict[str, Any], ...]
    """Of the export."""
    network: str

    def play(self, kind: str, name: str, address: str) -> None:
        """Start a pod of that name as the object of that kind says."""
        template = deepcopy(self.of(kind)["spec"]["template"])
        spec = template["spec"]
        for container in spec["containers"]:
            container.pop("ports", None)
            container["args"] = [word.replace("$$", "$") for word in container["args"]]
        for one in (*spec["volumes"], *(one for of in spec["containers"] for one in of["volumeMounts"])):
            one["name"] = f"{name}-{one['name']}"
        metadata = {"name": name, "labels": template["metadata"]["labels"]}
        pod = {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec}
        maps = [one for one in self.objects if one["kind"] == "ConfigMap"]
        self.podman("kube", "play", "--network", self.network, "--ip", address, "-",
                    given=yaml.safe_dump_all([*maps, pod]))  # fmt: skip

    def of(self, kind: str) -> dict[str, Any]:
        return next(one for one in self.objects if one["kind"] == kind)

    def is_ready(self, address: str) -> bool:
        """As the kubelet asks."""
        (container,) = self.of("Deployment")["spec"]["template"]["spec"]["containers"]
        try:
            path = container["readinessProbe"]["httpGet"]["path"]
            return httpx.get(f"http://{address}:8080{path}", timeout=5).status_code == 200
        except httpx.HTTPError:
            return False

    def end(self, name: str, learn: Callable[[], object]) -> None:
        """preStop, while the gateway learns of the end; SIGTERM, and SIGKILL after what is left of the grace."""
        spec = self.of("Deployment")["spec"]["template"]["spec"]
        seconds = spec["containers"][0]["lifecycle"]["preStop"]["sleep"]["seconds"]
        sleeps_until = time.monotonic() + seconds
        learn()
        time.sleep(max(0.0, sleeps_until - time.monotonic()))
        grace = spec["terminationGracePeriodSeconds"] - seconds
        self.podman("pod", "stop", "--time", str(grace), name)
        inspected = json.loads(self.podman("inspect", f"{name}-site"))
        assert inspected[0]["State"]["ExitCode"] == 143, "it was not killed"
        self.podman("pod", "rm", "--force", name)


@contextmanager
def controllers() -> Iterator[tuple[str, ...]]:
    """The beginning of a command in a mount namespace that has every controller of cgroups, as podman wants for a pod.

    There is none to make where cgroups are of version 2.
    """
    if Path("/sys/fs/cgroup/cgroup.controllers").exists():
        yield ()
        return
    read, write = os.pipe()
    with running(["unshare", "--mount", "sh", "-c", _CONTROLLERS], stdout=write) as holder:
        os.close(write)
        assert os.read(read, 100) == b"ready\n"
        os.close(read)
        yield ("nsenter", f"--mount=/proc/{holder.pid}/ns/mnt", "--")


@contextmanager
def network(podman: Podman, name: str, subnet: str) -> Iterator[None]:
    podman("network", "create", "--subnet", f"{subnet}.0/24", name)
    try:
        yield
    finally:
        podman("pod", "rm", "--all", "--force", code=None)
        podman("network", "rm", "--force", name, code=None)


def wait_for(pods: Pods, name: str, address: str) -> None:
    until(lambda: pods.is_ready(address), lambda: pods.podman("logs", f"{name}-site", code=None), 300)
