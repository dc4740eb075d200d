"""The .dockerignore: what never goes into an image."""

from __future__ import annotations

import re

from portico.export.image.model import Image
from portico.plan.files import File, Line

_SECRETS = (
    "**/.env*", "**/*.pem", "**/*.key", "**/*.p12", "**/*.pfx", "**/id_rsa*", "**/id_ed25519*", "**/.ssh", "**/.aws",
    "**/.netrc", "**/.pypirc", "**/.git-credentials", "**/.htpasswd", "**/*.users", "**/*.password",
)  # fmt: skip
_DATA = ("**/*.sqlite*", "**/*.db", "**/*.db-*", "instance")
_HISTORY = ("**/.git", "**/.hg", "**/.svn", ".github", ".gitlab-ci.yml")
_MADE = (
    "**/__pycache__", "**/*.pyc", "**/.pytest_cache", "**/.mypy_cache", "**/.ruff_cache", "**/.tox", "**/node_modules",
    "**/*.egg-info", "htmlcov", ".coverage",
)  # fmt: skip
_ENVIRONMENTS = (".venv", "venv", "env")
_ITS_OWN = ("Dockerfile*", ".dockerignore", "compose*.yaml", "compose-gateway*", "kubernetes")


def ignore(image: Image) -> File:
    groups = (
        (
            "Secrets: a layer keeps them for ever. Give them to the container as files below /run/secrets.",
            (*_SECRETS, *map(_escaped, image.secrets)),
        ),
        ("Data: it belongs in a volume.", _DATA),
        ("History, and what describes the machines that test.", _HISTORY),
        ("Made from the sources, for another machine.", _MADE),
        ("Virtual environments: the image makes its own.", (*_ENVIRONMENTS, *image.environments)),
        ("A change of these makes no new layer of code.", _ITS_OWN),
    )
    lines = [Line("# What is not copied into the image. Add what your app does not need while it runs.")]
    for why, names in groups:
        lines += [Line(""), Line(f"# {why}")]
        lines += [Line(name, why) for name in dict.fromkeys(names)]
    return File(".dockerignore", tuple(lines))


def _escaped(path: str) -> str:
    """A path as a pattern that matches nothing else: https://docs.docker.com/build/concepts/context/#syntax"""
    return re.sub(r"[*?\[\]\\!#]", r"\\\g<0>", path)
