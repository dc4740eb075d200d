"""The pods of a site: Deployment, ConfigMap, HorizontalPodAutoscaler and PodDisruptionBudget."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from typing import Any

from portico.errors import UNHEALTHY
from portico.export.image.dockerfile import STATE, USER
from portico.export.kubernetes.model import LISTEN, METRICS, SECRETS, Cluster
from portico.export.kubernetes.tree import Because, Checksum, Document, ForEach, If, Item, Joined, Named, Tree

LABEL = "app.kubernetes.io/name"
LEAVE_SECONDS = 10
"""How long a pod that is to end still takes new connections: every gateway and node learns of its end meanwhile."""
CHECK_SECONDS = 2
QUEUE_METRIC = "portico_queue_seconds"
_QUEUE_TARGET = "100m"
CONTAINER_SECURITY: Tree = {
    "allowPrivilegeEscalation": False,
    "readOnlyRootFilesystem": True,
    "capabilities": {"drop": ["ALL"]},
}


def selector() -> Tree:
    return {LABEL: Named()}


def head(version: str, kind: str, suffix: str = "", **more: Any) -> dict[str, Tree]:
    """The beginning of every object."""
    return {
        "apiVersion": version,
        "kind": kind,
        "metadata": {"name": Named(suffix), "labels": selector(), **more},
    }


def workload(cluster: Cluster) -> Iterator[Document]:
    yield Document("configmap", {
        **head("v1", "ConfigMap"),
        "data": Because(
            "Variables that the app gets and that are no secret: each a text. A change makes new pods where the "
            "checksum in the Deployment changes with it; with plain YAML: kubectl rollout restart.",
            cluster.choices.environment,
        ),
    })  # fmt: skip
    yield Document("deployment", _deployment(cluster))
    if not cluster.is_single:
        yield Document("autoscaler", _autoscaler(cluster))
        yield Document("disruption-budget", {
            **head("policy/v1", "PodDisruptionBudget"),
            "spec": {
                "maxUnavailable": Because("A node that is emptied takes one pod at a time.", 1),
                "unhealthyPodEvictionPolicy": Because(
                    "A pod that does not serve keeps no node from being emptied.", "AlwaysAllow"
                ),
                "selector": {"matchLabels": selector()},
            },
        })  # fmt: skip


def _deployment(cluster: Cluster) -> Tree:
    count: dict[str, Tree] = (
        {"replicas": Because("One: the app keeps state in one process.", 1)} if cluster.is_single else {}
    )
    return {
        **head("apps/v1", "Deployment"),
        "spec": {
            **count,
            "revisionHistoryLimit": 5,
            "progressDeadlineSeconds": Because(
                "Longer than the app may take to start (start_timeout).", max(600, 2 * cluster.start_seconds)
            ),
            "strategy": {
                "type": "RollingUpdate",
                "rollingUpdate": {
                    "maxUnavailable": Because("No pod leaves before its successor is ready.", 0),
                    "maxSurge": 1,
                },
            },
            "selector": {"matchLabels": selector()},
            "template": {
                "metadata": {
                    "labels": selector(),
                    "annotations": {"checksum/environment": Checksum(cluster.choices.environment)},
                },
                "spec": _pod(cluster),
            },
        },
    }


def _pod(cluster: Cluster) -> Tree:
    return {
        "automountServiceAccountToken": Because("The app does not talk to the cluster.", tree=False),
        "enableServiceLinks": Because("No variables for each Service: one could be named PORT.", tree=False),
        "terminationGracePeriodSeconds": Because(
            f"{LEAVE_SECONDS} s until nobody sends it new requests, then the last step of the ladder of "
            "request_timeout.",
            LEAVE_SECONDS + cluster.grace_seconds,
        ),
        "securityContext": pod_security(),
        "topologySpreadConstraints": [
            {
                "maxSkew": 1,
                "topologyKey": key,
                "whenUnsatisfiable": "ScheduleAnyway",
                "labelSelector": {"matchLabels": selector()},
                "matchLabelKeys": ["pod-template-hash"],
            }
            for key in ("kubernetes.io/hostname", "topology.kubernetes.io/zone")
        ],
        "containers": [_container(cluster)],
        "volumes": volumes(cluster),
    }  # fmt: skip


def pod_security() -> Tree:
    return {
        "runAsNonRoot": True,
        "runAsUser": USER,
        "runAsGroup": USER,
        "fsGroup": Because("Volumes belong to the group of the image's user.", USER),
        "seccompProfile": {"type": "RuntimeDefault"},
    }


def volumes(cluster: Cluster) -> list[Tree]:
    return [
        Because("Sockets and configuration.", {"name": "tmp", "emptyDir": {}}),
        Because(
            "Uploads in progress, logs and the cache: they end with the pod.",
            {"name": "state", "emptyDir": {}},
        ),
        *_secret_volume(cluster),
    ]


def mounts(cluster: Cluster) -> list[Tree]:
    return [
        {"name": "tmp", "mountPath": "/tmp"},  # noqa: S108  the container's own
        {"name": "state", "mountPath": STATE},
        {"name": "secrets", "mountPath": SECRETS, "readOnly": True},
        *(
            {"name": "secrets", "mountPath": one.path, "subPath": one.key, "readOnly": True}
            for one in cluster.secrets
            if one.path
        ),
    ]


def image(cluster: Cluster) -> Joined:
    return Joined((cluster.choices.repository, ":", cluster.choices.tag))


def arguments(cluster: Cluster) -> list[Tree]:
    """The command of the container."""
    choices = cluster.choices
    return [
        "portico",
        "run",
        *map(as_itself, cluster.words),
        ForEach(choices.domains, Joined(("--domain=", Item()))),
        If(choices.canonical, Joined(("--canonical=", choices.canonical))),
    ]


def as_itself(word: str) -> str:
    """A word that means itself where the kubelet replaces $(NAME), and $$ by $.
    https://kubernetes.io/docs/tasks/inject-data-application/define-command-argument-container/
    """
    return re.sub(r"\$(?=[$(])", "$$", word)


def _container(cluster: Cluster) -> Tree:
    choices = cluster.choices
    ports = [{"name": "http", "containerPort": LISTEN}]
    ports += [{"name": "metrics", "containerPort": METRICS}] if cluster.has_metrics else []
    return {
        "name": "site",
        "image": Because(
            "Each release has a tag of its own: a new tag is what begins a rollout.",
            image(cluster),
        ),
        "args": Because(
            "TLS ends at the gateway in front. It is the one that names the client and the scheme, and nothing else "
            "that it passes on is believed. The names are here because they "
            "differ by environment: these win over portico.toml.",
            arguments(cluster),
        ),
        "envFrom": [{"configMapRef": {"name": Named()}}],
        "ports": ports,
        "resources": Because(
            "Portico counts its workers by the limit of the CPU and bounds their memory by that of the memory. "
            "The limit of the memory is its request: a pod is not evicted for what it was promised.",
            choices.resources,
        ),
        "securityContext": CONTAINER_SECURITY,
        **_probes(cluster),
        "lifecycle": {
            "preStop": Because(
                "Gateways send requests for some seconds after a pod was told to end: it takes them. Then SIGTERM "
                "finishes those in progress.",
                {"sleep": {"seconds": LEAVE_SECONDS}},
            )
        },
        "volumeMounts": mounts(cluster),
    }  # fmt: skip


def _probes(cluster: Cluster) -> dict[str, Tree]:
    asks: dict[str, Tree] = {"path": cluster.health_path, "port": "http"}
    if cluster.health_host:
        asks["httpHeaders"] = [{"name": "Host", "value": cluster.health_host}]
    return {
        "startupProbe": Because(
            "The first answer of the app may take as long as start_timeout allows; no other probe counts before.",
            {
                "httpGet": asks,
                "periodSeconds": CHECK_SECONDS,
                "timeoutSeconds": 5,
                "failureThreshold": -(-cluster.start_seconds // CHECK_SECONDS),
            },
        ),
        "readinessProbe": Because(
            "Asks the app through its web server. A pod whose app fails gets no requests; one that is only busy does.",
            {"httpGet": asks, "periodSeconds": 5, "timeoutSeconds": 5, "failureThreshold": 2},
        ),
        "livenessProbe": Because(
            "A restart helps against a Portico that does not answer, and against nothing else: Portico itself replaces "
            "workers and the web server, and a database that is down is not mended by it.",
            {
                "exec": {
                    "command": ["sh", "-c", f"{_status(cluster)} >/dev/null || test $? -eq {UNHEALTHY}"]
                },
                "periodSeconds": 30,
                "timeoutSeconds": 20,
                "failureThreshold": 3,
            },
        ),
    }


def _status(cluster: Cluster) -> str:
    """Asks the site of the container, whose file may have another name."""
    words = cluster.words
    named = words[words.index("--config") : words.index("--config") + 2] if "--config" in words else ()
    return as_itself(shlex.join(["portico", "status", "--json", *named]))


def _secret_volume(cluster: Cluster) -> list[Tree]:
    needs = bool(cluster.secrets)
    made: Tree = {"name": "secrets", "secret": {"secretName": Named(), "defaultMode": 0o440}}
    why = (
        "Each key of the Secret is a file. It may be missing: nothing in portico.toml needs one. 288 is 0440."
    )
    if needs:
        why = (
            f"Each key of the Secret is a file: {', '.join(one.key for one in cluster.secrets)}. 288 is 0440."
        )
    else:
        made["secret"]["optional"] = True
    return [Because(why, made)]


def _autoscaler(cluster: Cluster) -> Tree:
    choices = cluster.choices
    return {
        **head("autoscaling/v2", "HorizontalPodAutoscaler"),
        "spec": {
            "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": Named()},
            "minReplicas": Because("One may leave while another serves.", choices.fewest),
            "maxReplicas": choices.most,
            "metrics": [
                {
                    "type": "Resource",
                    "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 70}},
                },
                If(
                    choices.queue_metric,
                    Because(
                        "How long requests wait for a worker, in seconds. It is there only if an adapter serves it; "
                        "without one nothing would ever be scaled down.",
                        {
                            "type": "Pods",
                            "pods": {
                                "metric": {"name": choices.queue_metric},
                                "target": {"type": "AverageValue", "averageValue": _QUEUE_TARGET},
                            },
                        },
                    ),
                ),
            ],
            "behavior": {
                "scaleDown": Because("Slowly: the next wave may follow.", {"stabilizationWindowSeconds": 300})
            },
        },
    }
