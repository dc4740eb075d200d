"""`make attack`: what a stranger can try, against real sites of every link and both builds of nginx, as a table."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import click

from tests.attack import cache, headers, paths, smuggling
from tests.attack.target import BUILDS, LINKS, STRANGER, Target, target

Attack = Callable[[Target], Iterator[tuple[str, str]]]
GROUPS: dict[str, Attack] = {
    "headers": headers.attack,
    "cache": cache.attack,
    "paths": paths.attack,
    "smuggling": smuggling.attack,
}
BEHIND = ("--behind", STRANGER)
SITES = [(link, build, words) for build in BUILDS for link in LINKS for words in ((), BEHIND, ("https",))]
OF_SITES: dict[tuple[str, ...], tuple[str, ...]] = {
    (): tuple(GROUPS),
    BEHIND: ("headers", "cache"),
    ("https",): ("smuggling",),
}
"""A declared proxy changes who the client is, and nothing of paths and framing; HTTP/2 changes the framing alone."""
USERS = ("tests/run/test_users.py", "tests/run/test_users_of_sites.py", "tests/run/test_rights.py")
"""Root, nginx's user and two users of apps: each of these needs a site of its own."""


@dataclass(frozen=True)
class Outcome:
    """How many cases one group had at one site, and what was found."""

    site: str
    group: str
    cases: int
    findings: list[str]


def tried(site: Target, groups: Sequence[str], attacks: Mapping[str, Attack] = GROUPS) -> Iterator[Outcome]:
    """Each group against one site."""
    for group in groups:
        told = list(attacks[group](site))
        findings = [f"{case}: {finding}" for case, finding in told if finding]
        yield Outcome(site.name, group, len(told), findings)


@click.command()
@click.option("--only", default="", help=f"Comma-separated groups: {', '.join((*GROUPS, 'users'))}.")
@click.option("--links", default="", help=f"Comma-separated links: {', '.join(LINKS)}.")
@click.option("--seed", default=1, help="Of the mutated requests of the group smuggling.")
@click.option("--mutations", default=smuggling.MUTATIONS, help="How many of them each site gets.")
def main(*, only: str, links: str, seed: int, mutations: int) -> None:
    """Attack real sites, and print what was found; exit code 1 when anything was."""
    groups = [name for name in (*GROUPS, "users") if not only or name in only.split(",")]
    attacks: dict[str, Attack] = {
        **GROUPS,
        "smuggling": partial(smuggling.attack, seed=seed, count=mutations),
    }
    found = list(_outcomes([name for name in groups if name in GROUPS], links, attacks))
    bad = sum(len(outcome.findings) for outcome in found)
    users = _users() if "users" in groups else 0
    click.echo(f"{sum(outcome.cases for outcome in found)} cases, {bad} findings")
    sys.exit(bool(bad or users))


def _outcomes(groups: list[str], links: str, attacks: Mapping[str, Attack]) -> Iterator[Outcome]:
    for link, build, words in SITES:
        ours = [one for one in groups if one in OF_SITES[words]]
        if not ours or (links and link not in links.split(",")):
            continue
        with target(link, build, *words) as site:
            for outcome in tried(site, ours, attacks):
                click.echo(
                    f"{outcome.site:40} {outcome.group:10} {outcome.cases:5} cases {len(outcome.findings):4} findings"
                )
                for finding in outcome.findings[:20]:
                    click.echo(f"    {finding}")
                yield outcome


def _users() -> int:
    click.echo("users: root, nginx's user, users of apps")
    return subprocess.run([sys.executable, "-m", "pytest", "-q", "-n", "2", *USERS], check=False).returncode


if __name__ == "__main__":
    main()
