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
METADATA = (
    "169.254.169.254/32",  # nearly every cloud
    "169.254.169.252/32",  # GKE's server of its nodes, which the one above leads to
    "169.254.170.2/32",  # tasks of Amazon ECS
    "169.254.170.23/32",  # the agent of EKS for pods
    "169.254.0.23/32",  # Tencent
    "169.254.10.10/32",  # Tencent
    "169.254.42.42/32",  # Scaleway
    "100.100.100.200/32",  # Alibaba
    "168.63.129.16/32",  # Azure's agent of the host
    "192.0.0.192/32",  # Oracle
)
"""Where clouds give a machine its credentials. Not all of 169.254.0.0/16: the cluster's names may be there
(NodeLocal DNSCache, 169.254.20.10).
"""
METADATA_IPV6 = (
    "fd00:ec2::254/128",  # Amazon
    "fd00:ec2::23/128",  # the agent of EKS for pods
    "fd20:ce::254/128",  # Google
    "fd00:c1::a9fe:a9fe/128",  # Oracle
    "fd00:a9fe:a9fe::1/128",  # Akamai
    "fd00:42::42/128",  # Scaleway
    "fd00:100::100:200/128",  # Alibaba
    "fe80::a9fe:a9fe/128",  # OpenStack
)
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
                    {"podSelector": _gateways(cluster)},
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
            "egress": egress(),
        },
    }


def egress() -> list[Tree]:
    return [
        Because(
            "Everything but the cloud's metadata, where a request that an attacker makes the app send would "
            "find credentials. If the app itself needs them from there (GKE), remove the exceptions.",
            {
                "to": [
                    {"namespaceSelector": {}},
                    {"ipBlock": {"cidr": "0.0.0.0/0", "except": list(METADATA)}},
                    {"ipBlock": {"cidr": "::/0", "except": list(METADATA_IPV6)}},
                ]
            },
        )
    ]


def _gateways(cluster: Cluster) -> Tree:
    """Its own, or those of the sites that route here."""
    if not cluster.fronts:
        return {"matchLabels": {GATEWAY_NAME: Named()}}
    return {"matchExpressions": [{"key": GATEWAY_NAME, "operator": "In", "values": list(cluster.fronts)}]}
