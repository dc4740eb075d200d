"""The way in: a Gateway with its HTTPRoutes, or an Ingress, and the certificate."""

from __future__ import annotations

from collections.abc import Iterator

from portico.export.kubernetes.model import Cluster
from portico.export.kubernetes.routes import rules
from portico.export.kubernetes.tree import Because, Document, ForEach, If, Item, Named, Tree
from portico.export.kubernetes.workload import head

GATEWAY = "gateway.networking.k8s.io/v1"
CERT_MANAGER = "cert-manager.io/v1"


def entry(cluster: Cluster) -> Iterator[Document]:
    """None for a site that others route to: a way in of its own would pass their guards by."""
    if cluster.fronts:
        return
    ingress_class = cluster.choices.ingress_class
    yield Document("gateway", _gateway(cluster), unless=ingress_class)
    yield Document("route", _route(cluster), unless=ingress_class)
    if cluster.has_https:
        yield Document("redirect", _redirect(cluster), unless=ingress_class)
    yield Document("ingress", _ingress(cluster), when=ingress_class)
    if cluster.has_certificate:
        yield Document("issuer", _issuer(cluster))
        yield Document("certificate", {
            **head(CERT_MANAGER, "Certificate"),
            "spec": {
                "secretName": Named("-tls"),
                "dnsNames": cluster.choices.domains,
                "issuerRef": {"kind": "Issuer", "name": Named()},
                "privateKey": {"algorithm": "ECDSA", "size": 256, "rotationPolicy": "Always"},
            },
        })  # fmt: skip


def _gateway(cluster: Cluster) -> Tree:
    listeners: list[Tree] = [{"name": "http", "port": 80, "protocol": "HTTP"}]
    if cluster.has_https:
        listeners.append({
            "name": "https",
            "port": 443,
            "protocol": "HTTPS",
            "tls": {"mode": "Terminate", "certificateRefs": [{"kind": "Secret", "name": Named("-tls")}]},
        })  # fmt: skip
    return {
        **head(GATEWAY, "Gateway"),
        "spec": {
            "gatewayClassName": Because(
                "One of those that the cluster has: kubectl get gatewayclass", cluster.choices.gateway_class
            ),
            "listeners": listeners,
        },
    }


def _route(cluster: Cluster) -> Tree:
    made: dict[str, Tree] = {
        "parentRefs": [{"name": Named(), "sectionName": "https" if cluster.has_https else "http"}],
        "hostnames": If(cluster.choices.domains, cluster.choices.domains),
        "rules": rules(cluster),
    }
    return {**head(GATEWAY, "HTTPRoute"), "spec": made}


def _redirect(cluster: Cluster) -> Tree:
    return {
        **head(GATEWAY, "HTTPRoute", "-redirect"),
        "spec": {
            "parentRefs": [{"name": Named(), "sectionName": "http"}],
            "hostnames": If(cluster.choices.domains, cluster.choices.domains),
            "rules": [
                {
                    "filters": [
                        {
                            "type": "RequestRedirect",
                            "requestRedirect": {
                                "scheme": "https",
                                "statusCode": Because(
                                    "Every controller knows 301. Where yours knows 308, a POST stays one.",
                                    301,
                                ),
                            },
                        }
                    ]
                }
            ],
        },
    }


def _ingress(cluster: Cluster) -> Tree:
    domains = cluster.choices.domains
    paths = [
        {
            "path": cluster.path,
            "pathType": "Prefix",
            "backend": {"service": {"name": Named(), "port": {"name": "http"}}},
        }
    ]
    spec: dict[str, Tree] = {"ingressClassName": cluster.choices.ingress_class}
    if cluster.has_https:
        spec["tls"] = [{"hosts": domains, "secretName": Named("-tls")}]
    spec["rules"] = (
        [ForEach(domains, {"host": Item(), "http": {"paths": paths}})]
        if domains.default
        else [{"http": {"paths": paths}}]
    )
    return {**head("networking.k8s.io/v1", "Ingress"), "spec": spec}


def _issuer(cluster: Cluster) -> Tree:
    if not (acme := cluster.acme):
        why = "The site makes its own certificate (https = local), which browsers do not know."
        return {**head(CERT_MANAGER, "Issuer"), "spec": {"selfSigned": Because(why, {})}}
    ingress_class = cluster.choices.ingress_class
    made: dict[str, Tree] = {
        "server": cluster.choices.acme_server,
        "privateKeySecretRef": {"name": Named("-acme")},
    }
    if acme.email:
        made["email"] = acme.email
    if acme.profile and not acme.may_differ:
        made["profile"] = acme.profile
    if acme.eab_kid:
        made["externalAccountBinding"] = {
            "keyID": acme.eab_kid,
            "keySecretRef": {"name": Named("-acme-eab"), "key": "hmac"},
        }
    made["solvers"] = [
        {
            "http01": {
                "gatewayHTTPRoute": If(
                    ingress_class,
                    {"parentRefs": [{"kind": "Gateway", "name": Named(), "sectionName": "http"}]},
                    is_not=True,
                ),
                "ingress": If(ingress_class, {"ingressClassName": ingress_class}),
            }
        }
    ]
    return {**head(CERT_MANAGER, "Issuer"), "spec": {"acme": made}}
