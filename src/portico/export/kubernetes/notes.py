"""What means something else when a site has several pods, and what to do. Some is true of every site, some is found
in this one.
"""

from __future__ import annotations

import shlex
from collections.abc import Collection, Iterator, Sequence

from portico.export.kubernetes.model import SecretFile
from portico.export.kubernetes.names import is_host
from portico.plan.web.model import Web
from portico.site.facts import AppFacts
from portico.site.model import Site
from portico.site.routing import ToSite

_MOST_NAMED = 5


def general(site: Site, web: Web, secrets: Sequence[SecretFile], name: str, job: str) -> Iterator[str]:
    """What follows from the options; `job` is the name of that of [release] before, if there is one."""
    yield from _first(site, secrets, name)
    yield (
        "New code: a new image with a new tag. `portico reload`, canaries and `portico rollback` are for code that "
        f"changes inside a pod; here: kubectl rollout status|undo deployment/{name}."
    )
    yield (
        "Maintenance: `portico maintenance on` closes one pod, until it is replaced. Close the site at the gateway, or "
        "in each pod."
    )
    yield from _database(site, job)
    yield from _commands(site)
    if site.options.limits.rate or any(one.edge.limit for one in site.routed):
        yield (
            "Limits: each pod counts for itself, so a client may have as many times the rate as there are pods. "
            "For one count, use the gateway's own limits."
        )
    if site.options.cache.size:
        yield (
            "Cache: each pod has its own, which ends with it; `portico cache` in one pod empties that one. The app is "
            "asked once by each."
        )
    if web.bans or web.guesses:
        yield "Bans: each pod counts for itself, and forgets with its end."
    if web.challenge:
        yield (
            "Challenge: each pod has its own keys, so another pod asks a client again. Switch it off "
            "(guard.challenge), or let the gateway keep a client on its pod."
        )
    if site.options.upstream.sticky:
        yield "Sticky servers: the cookie of one pod means the same in another only if both list the same servers."
    yield (
        "Clients: limits, bans and the log know a client by the address that the gateway names. Where a balancer hides "
        "it behind an address of the cluster, all clients look alike, and each can name another address for itself: "
        "give the gateway's Service externalTrafficPolicy: Local, or a balancer that passes the address on."
    )
    if site.has_https and site.options.https.hsts != "off":
        yield (
            "HSTS: TLS ends at the gateway, so the site does not send it. Add the header there, or in [headers], once "
            "HTTPS works."
        )
    yield from _names(site, web)


def _commands(site: Site) -> Iterator[str]:
    """What is not run by the pods."""
    if site.options.release.after:
        yield (
            "The command after a release ([release] after) is left out of the pods: run it when the rollout is done "
            "(kubectl rollout status)."
        )
    for process in site.options.processes:
        yield (
            f"The process {process} is left out of the pods. Give it a Deployment with the same image, variables and "
            f"secrets, and the command `portico exec` followed by that of [processes] {process}."
        )


def _first(site: Site, secrets: Sequence[SecretFile], name: str) -> Iterator[str]:
    if secrets:
        files = " ".join(f"--from-file={one.key}={shlex.quote(one.origin or 'FILE')}" for one in secrets)
        yield f"Secrets are files and never here. Before the first start: kubectl create secret generic {name} {files}"
    else:
        yield (
            f"Secrets are files and never here: kubectl create secret generic {name} --from-file=key=FILE, and the app "
            "reads /run/secrets/key."
        )
    if site.https_mode == "files":
        yield (
            f"The certificate: kubectl create secret tls {name}-tls --cert={shlex.quote(site.https_files['cert'])} "
            f"--key={shlex.quote(site.https_files['key'])}"
        )
    elif site.https_mode == "auto":
        yield "The certificate comes from cert-manager, with its support of the Gateway API switched on."
    if site.has_https and site.https_files.get("eab_hmac_file"):
        file = shlex.quote(site.https_files["eab_hmac_file"])
        yield f"The key of the account: kubectl create secret generic {name}-acme-eab --from-file=hmac={file}"


def _database(site: Site, job: str) -> Iterator[str]:
    if job:
        step = "app.kubernetes.io/component"
        yield (
            f"The database: the Job {job} runs `{site.options.release.before}` once, and the pods do not. Helm waits "
            "for it before it changes anything. With kubectl, the pods wait only if you do (-k instead of -f for "
            f"Kustomize): kubectl apply -f FILE -l {step}=release && kubectl wait --for=condition=complete "
            f"--timeout=1h job/{job} && kubectl apply -f FILE -l {step}!=release"
        )
        yield "Old and new pods use the same schema during a rollout."
    elif site.facts.remedy:
        yield (
            f"The database: run `{site.facts.remedy}` before a release, as a Job with the new image: the pods do not "
            "run it. [release] before makes the Job. Old and new pods use the same schema during a rollout."
        )


def _names(site: Site, web: Web) -> Iterator[str]:
    if others := [one for one in web.hosts.declared if not is_host(one)]:
        yield f"A gateway routes by names, so these have no route here: {', '.join(others)}."
    if site.https_mode == "auto" and any(one.startswith("*.") for one in web.hosts.declared):
        yield (
            "A wildcard needs a DNS-01 solver in the Issuer, with the credentials of your DNS: "
            "https://cert-manager.io/docs/configuration/acme/dns01/"
        )
    if fronts := site.options.routed_by:
        yield (
            f"routed_by: it has no Gateway, HTTPRoute or Ingress of its own. Those of {', '.join(fronts)} lead here, "
            "exported into the same namespace; what they guard there does not hold here."
        )
    to_sites = [one.rule for one in web.routing.routes if isinstance(one.rule.target, ToSite)]
    if to_sites:
        names = ", ".join(dict.fromkeys(one.word for one in to_sites))
        yield (
            f"Other sites: export each by itself into the same namespace ({names}), with its routed_by: then it gets "
            "no way in but this site's. An Ingress does not lead to them. What this site guards at their paths does "
            "not hold there: they guard themselves."
        )
    if any(one.strips for one in to_sites):
        yield "strip: the gateway takes the path off, and does not give it back to redirects and cookies."


def found(site: Site, web: Web, answers: Collection[AppFacts]) -> Iterator[str]:
    """What was found in the app: it works on one machine, and not among several pods."""
    if site.facts.one_process:
        yield f"One pod alone, without an autoscaler: {site.facts.one_process}. While it is replaced, two run."
    yield from _trust(site)
    for file, where in _databases(answers).items():
        yield (
            f"{file} ({where}) is a database in a file: each pod would have its own, empty, and it ends with the pod. "
            "Use PostgreSQL or MySQL, or a volume and one pod."
        )
    if _is_random(answers):
        yield (
            "The app makes a new secret key each time it starts: sessions of one pod are none in another. Read it from "
            "a file in /run/secrets."
        )
    for one in site.facts.risks:
        if one.kind == "scheduler":
            yield f"{one.what}: it would run in each pod. Make it a CronJob, or a Deployment with one pod."
        elif one.kind == "thread":
            yield f"{one.what}: each pod has its own. Make it a Deployment of its own if it must run once."
    kept = [one.name for one in site.facts.risks if one.kind == "memory"]
    if kept:
        more = f" and {len(kept) - _MOST_NAMED} more" if len(kept) > _MOST_NAMED else ""
        yield (
            f"Each pod has its own {', '.join(kept[:_MOST_NAMED])}{more} (portico check): keep it in a database or in "
            "Redis."
        )
    served = {one.folder for one in site.static}
    roots = [one.folder for one in web.site.roots if one.folder not in served]
    folders = [one for one in roots if one.startswith(f"{site.directory}/")]
    if folders:
        yield (
            f"Files that the app sends or writes ({', '.join(folders[:_MOST_NAMED])}): each pod has those of the "
            "image, and cannot write there. Use an object store, or a volume that all pods mount (ReadWriteMany)."
        )


def _trust(site: Site) -> Iterator[str]:
    """What was believed on one machine, and cannot be in a cluster."""
    if networks := [one.what for one in site.access if one.allow is not None or one.deny is not None]:
        yield (
            f"Access by network ({', '.join(networks[:_MOST_NAMED])}): without the client's own address (Clients, "
            "below) it protects nothing. Try it from outside before you rely on it."
        )
    if site.options.behind and (lost := sorted(site.believed - {"scheme"})):
        yield (
            f"behind: headers of the kinds {', '.join(lost)} were believed from {', '.join(site.options.behind)}. A "
            "client may reach the cluster's gateway without passing those proxies, so a pod believes none of them."
        )


def _databases(answers: Collection[AppFacts]) -> dict[str, str]:
    return {file: where for one in answers for file, where in one.settings.databases.items()}


def _is_random(answers: Collection[AppFacts]) -> bool:
    """Whether two processes that imported the app have different keys."""
    keys = [{one.name: one.digest for one in answer.secrets} for answer in answers]
    return len(keys) > 1 and any(one != keys[0] for one in keys[1:])
