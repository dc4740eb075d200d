"""Bodies of requests: how large, and where they wait."""

from __future__ import annotations

from collections.abc import Iterator

from portico.explain.finding import Finding
from portico.explain.nginx.families import PASSES
from portico.explain.nginx.findings.config import Config, added, instead, removed, size, written

_DEFAULT = 1024 * 1024


def sizes(config: Config) -> Iterator[Finding]:
    for node in config.named("client_max_body_size"):
        level = config.parent(node)
        is_app = level.name != "location" or (bool(level.first(*PASSES)) and config.is_open(level))
        if node.args and size(node.args[0]) == 0 and is_app:
            yield config.finding(
                "body-unlimited",
                node,
                "a body may have any size",
                "anybody fills the disk with one request; then logs, uploads and the database fail",
                instead(written("client_max_body_size", "16m")),
            )


def beside(config: Config) -> Iterator[Finding]:
    """The app's own limit and that of nginx."""
    for backend in config.backends:
        if not backend.largest_body:
            continue
        for node in config.passes:
            level = config.parent(node)
            text = config.value(level, "client_max_body_size")
            found = size(text) if text else _DEFAULT
            if found and found < backend.largest_body:
                yield config.finding(
                    "body-mismatch",
                    node,
                    f"nginx lets in {found // 1024} KiB, and the app would take "
                    f"{backend.largest_body // 1024} KiB ({backend.place})",
                    "uploads that the app allows answer 413",
                    added(level, written("client_max_body_size", f"{-(-backend.largest_body // 1024)}k")),
                )


def folders(config: Config) -> Iterator[Finding]:
    served = [
        one.args[0].rstrip("/")
        for one in config.named("root", "alias")
        if one.args and one.args[0].rstrip("/")
    ]
    for node in config.named(
        "client_body_temp_path", "proxy_temp_path", "uwsgi_temp_path", "fastcgi_temp_path"
    ):
        path = node.args[0].rstrip("/") if node.args else ""
        if path.startswith(("/tmp", "/var/tmp")):  # noqa: S108  reading
            yield config.finding(
                "body-in-tmp",
                node,
                f"bodies wait in {path}, where everybody may write",
                "any user of the machine makes that folder first, and reads or changes uploads",
                instead(written(node.name, "/var/lib/nginx/body", *node.args[1:])),
            )
        elif any(path == one or path.startswith(f"{one}/") for one in served):
            yield config.finding(
                "body-served",
                node,
                f"bodies wait in {path}, which is served",
                "anybody reads uploads of others while they arrive",
                instead(written(node.name, "/var/lib/nginx/body", *node.args[1:])),
            )


def kept(config: Config) -> Iterator[Finding]:
    for node in config.named("client_body_in_file_only"):
        if node.args == ("on",):
            yield config.finding(
                "body-kept",
                node,
                "each body is written to a file that nothing deletes",
                "the disk fills, with what visitors sent in confidence",
                instead(written("client_body_in_file_only", "clean")),
            )


def writable(config: Config) -> Iterator[Finding]:
    for node in config.named("dav_methods"):
        if "off" not in node.args and config.is_open(config.parent(node)):
            yield config.finding(
                "dav-open",
                node,
                "everybody may write and delete files",
                "a stranger replaces the site, or keeps its own files there",
                removed("or add auth_basic to the block"),
            )


FINDERS = (sizes, beside, folders, kept, writable)
