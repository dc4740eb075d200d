"""`portico check --url`: checks that the site may be probed, and shows progress."""

from __future__ import annotations

import sys
from typing import Any

import click

from portico.check.model import Finding
from portico.check.outside.probe import probed
from portico.check.outside.target import Target, target_of
from portico.cli import output
from portico.errors import Problem, UsageError


def findings_of(url: str, *, is_agreed: bool) -> list[Finding]:
    """Raises UsageError for another person's site without consent, PorticoError if nothing answers."""
    target = target_of(url)
    if not target.is_near and not is_agreed:
        _agree(target)
    return probed(target, lambda name: output.say(output.faint(f"{target.authority}: {name}")))


def refuse_beside_url(apps: tuple[str, ...], config: str | None, flags: dict[str, Any]) -> None:
    """Facts of a site planned here do not apply to a site that runs elsewhere. Raises UsageError."""
    if apps or config or flags:
        what = f"a running site is asked, so {', '.join([*apps, *([config] if config else []), *flags])} has no meaning"
        raise UsageError(
            Problem("--url", what, "portico check --url URL, without an app and without options")
        )


def _agree(target: Target) -> None:
    """The probe sends some 130 requests, several of which look like an attack: it is meant for one's own sites."""
    if not sys.stdin.isatty():
        what = f"{target.host} ({target.address}) is neither this machine nor in its network"
        hint = "if the site is yours, or its owner agreed: add --yes"
        raise UsageError(Problem("--url", what, hint))
    question = (
        f"{target.host} is at {target.address}. Is the site yours, or does its owner agree that it is probed?"
    )
    if not click.confirm(question, err=True):
        raise UsageError(Problem("--url", "nothing was sent", "probe sites of your own, or ask their owners"))
