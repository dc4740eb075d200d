"""How a site's pods are reached: Service, NetworkPolicy and PodMonitor."""

from __future__ import annotations

from collections.abc import Iterator

from portico.export.kubernetes.model import Cluster
from portico.export.kubernetes.tree import Because, Document, Named, Tree
from portico.export.kubernetes.workload import head, selector

GATEWAY_NAME = "gateway.networking.k8s.io/gateway-name"
"""The label of the pods of a Gateway that its controller made. https://gateway-api.sigs.k8s.io/geps/gep-1762/"""
NAMESPACES = (
    "envoy-gateway-system",
    "gateway-system",
    "ingress-nginx",
    "istio-ingress",
    "istio-system",
    "kgateway-system",
    "kube-system",
    "nginx-gateway",
    "projectcontour",
    "traefik",
)
"""Where controllers put the pods of gateways, by their own instructions."""
_METADATA = "169.254.169.254/32"
_METADATA_IPV6 = "fd00:ec2::254/128"
SECRET_KEY = "metrics-password"  # noqa: S105  the name of a key


def network(cluster: Cluster) -> Iterator[Document]:
    yield Document("service", {
        **head("v1", "Service"),
        "spec": {
            "selector": selector(),
            "ports": [{"name": "http", "port": 80, "targetPort": "http"}],
        },
    })  # fmt: skip
    yield Document("network-policy", _policy(cluster))
    if cluster.has_metrics:
        yield Document("pod-monitor", {
            **head("monitoring.coreos.com/v1", "PodMonitor"),
            "spec": {
                "selector": {"matchLabels": selector()},
                "podMetricsEndpoints": [{
                    "port": "metrics",
                    "path": "/metrics",
                    "authorization": {"type": "Bearer", "credentials": {"name": Named(), "key": SECRET_KEY}},
                }],
            },
        })  # fmt: skip


def _policy(cluster: Cluster) -> Tree:
    ingress: list[Tree] = [
        Because(
            "Only the pods of gateways: whoever connects to a pod could name any client. If yours is elsewhere, add "
            "its namespace; a balancer outside of the cluster is an ipBlock. The kubelet's probes always come in.",
            {
                "from": [
                    {"podSelector": {"matchLabels": {GATEWAY_NAME: Named()}}},
                    {
                        "namespaceSelector": {
                            "matchExpressions": [
                                {
                                    "key": "kubernetes.io/metadata.name",
                                    "operator": "In",
                                    "values": list(NAMESPACES),
                                }
                            ]
                        }
                    },
                ],
                "ports": [{"port": "http"}],
            },
        )
    ]
    if cluster.has_metrics:
        why = "Prometheus, wherever it runs: it must know the password."
        ingress.append(Because(why, {"from": [{"namespaceSelector": {}}], "ports": [{"port": "metrics"}]}))
    return {
        **head("networking.k8s.io/v1", "NetworkPolicy"),
        "spec": {
            "podSelector": {"matchLabels": selector()},
            "policyTypes": ["Ingress", "Egress"],
            "ingress": ingress,
            "egress": [
                Because(
                    "Everything but the cloud's metadata, where a request that an attacker makes the app send would "
                    "find credentials. If the app itself needs them from there (GKE), remove the exceptions.",
                    {
                        "to": [
                            {"namespaceSelector": {}},
                            {"ipBlock": {"cidr": "0.0.0.0/0", "except": [_METADATA]}},
                            {"ipBlock": {"cidr": "::/0", "except": [_METADATA_IPV6]}},
                        ]
                    },
                )
            ],
        },
    }
