"""`portico export kubernetes`: the objects of the site for a cluster."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from portico.cli import output
from portico.cli.completion import folders
from portico.cli.export.give import give, write_new
from portico.cli.flags import given, site_arguments
from portico.place.owner import as_user
from portico.project.gather import gather
from portico.site.variables import forget


@click.command("kubernetes")
@click.option(
    "--image", metavar="NAME:TAG", help="The image of the site. Default: its name, as it was built."
)
@click.option(
    "--write",
    metavar="DIR",
    shell_complete=folders,
    help="Write plain YAML, a base for Kustomize and a chart for Helm into DIR.",
)
@site_arguments
def command(app: str | None, config: str | None, image: str | None, write: str | None, **said: Any) -> None:
    """Print the objects of APP for Kubernetes: Deployment, Service, HTTPRoute and what belongs to them.

    `portico export docker` writes the image that they run. What means something else among several pods is said first.
    """
    from portico.check.app.look import looks
    from portico.export.kubernetes.build import plain, tree
    from portico.export.kubernetes.decide import OURS, cluster
    from portico.plan.decide import decided
    from portico.project.image.words import in_image, words

    os.environ.pop("PORT", None)  # from this shell; a pod has its own
    forget(os.environ)
    flags = given(said)
    found = gather(app, config, flags, serves=False)
    who = as_user(found.place.app_user, os.environ, found.site.environment.values)
    answers = looks(found.site, found.place, who)[0] if found.site.has_app else ()
    typed = words(app, config, in_image(_others(flags, OURS), found.site.options), None)
    made = cluster(
        found.site,
        decided(found.site, found.place),
        found.plan,
        typed,
        image or found.site.name,
        found.import_memory,
        answers,
    )
    if write:
        write_new(tree(made), Path(write), {})
    else:
        give(plain(made), None)
    for sentence in made.found:
        output.say(f"{output.warned('warning')} {sentence}")
    if write:
        output.say(
            f"apply one of them: kubectl apply -f {write}/{made.name}.yaml; kubectl apply -k "
            f"{write}/kustomize/overlays/production; helm install {made.name} {write}/chart"
        )


def _others(flags: Mapping[str, Any], ours: tuple[str, ...]) -> dict[str, Any]:
    """The flags whose options a pod does not have from the objects."""
    return {
        name: value
        for name, value in flags.items()
        if name not in ours and not name.startswith(("https-", "metrics-"))
    }
