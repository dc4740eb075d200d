"""nginx's own processes and logs."""

from __future__ import annotations

import re
from collections.abc import Iterator

from portico.explain.finding import Finding
from portico.explain.nginx.findings.config import Config, added, instead, removed, variables, written

_FILES = 1024
"""The usual limit of open files of a process."""
_SECRET = re.compile(
    r"http_(?:authorization|cookie|x_api_key|proxy_authorization)|request_body|cookie_\w+|arg_(?:token|password|key|secret)"
)


def connections(config: Config) -> Iterator[Finding]:
    """A connection to a client and one to the app are two files."""
    for node in config.named("worker_connections"):
        wanted = int(node.args[0]) if node.args and node.args[0].isdigit() else 0
        said = config.root.first("worker_rlimit_nofile")
        limit = int(said.args[0]) if said and said.args and said.args[0].isdigit() else _FILES
        if wanted > limit:
            yield config.finding(
                "worker-files",
                node,
                f"{wanted} connections need more files than the {limit} that a worker may open",
                "under load, connections are dropped with 'too many open files'",
                added(config.root, written("worker_rlimit_nofile", wanted * 2)),
            )


def users(config: Config) -> Iterator[Finding]:
    for node in config.root.all("user"):
        if node.args[:1] == ("root",):
            yield config.finding(
                "user-root",
                node,
                "nginx's workers run as root",
                "a fault in nginx, or one wrong folder, gives away the whole machine",
                instead(written("user", "www-data")),
            )


def alone(config: Config) -> Iterator[Finding]:
    for node in config.root.all("master_process"):
        if node.args == ("off",):
            yield config.finding(
                "master-off",
                node,
                "nginx runs as one process, for debugging",
                "a reload or a crash stops the site",
                removed(),
            )


def tokens(config: Config) -> Iterator[Finding]:
    http = config.http
    if http is None or (
        any(one.name == "include" for one in http.children or ()) and config.named("server_tokens")
    ):
        return
    if not any(
        one.args in (("off",), ("build",)) for one in config.named("server_tokens", "more_clear_headers")
    ):
        yield config.finding(
            "server-tokens",
            http,
            "every answer and error page says nginx's version",
            "scanners pick the sites that a new fault of nginx touches",
            added(http, written("server_tokens", "off")),
        )


def errors(config: Config) -> Iterator[Finding]:
    for node in [*config.root.all("error_log"), *config.named("error_log")]:
        if node.args[:1] == ("off",):
            yield config.finding(
                "error-log-off",
                node,
                "this does not turn the log off: it writes to a file called off",
                "errors are hidden from everybody who looks for them",
                instead(written("error_log", "/var/log/nginx/error.log", "warn")),
            )
        elif "debug" in node.args:
            yield config.finding(
                "error-log-debug",
                node,
                "the log has every step of every request",
                "the disk fills, and cookies and passwords are in the log",
                instead(written("error_log", node.args[0], "warn")),
            )
        elif node.args[:1] == ("/dev/null",):
            yield config.finding(
                "error-log-off",
                node,
                "errors are thrown away",
                "nobody learns why visitors see 502",
                instead(written("error_log", "/var/log/nginx/error.log", "warn")),
            )


def secrets(config: Config) -> Iterator[Finding]:
    for node in config.named("log_format"):
        found = [name for word in node.args[1:] for name in variables(word) if _SECRET.fullmatch(name)]
        if found:
            yield config.finding(
                "log-secrets",
                node,
                f"${found[0]} is written to the log",
                "who reads the log, or a backup of it, signs in as any visitor",
                instead(
                    written(
                        "log_format",
                        node.args[0],
                        *(word.replace(f"${found[0]}", "-") for word in node.args[1:]),
                    )
                ),
            )


FINDERS = (connections, users, alone, tokens, errors, secrets)
