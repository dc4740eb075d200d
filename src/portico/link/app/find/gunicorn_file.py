"""The app's own gunicorn.conf.py: which of its settings have an option here. It is parsed (`ast`), never executed."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import Any

_NAMES = (
    "gunicorn.conf.py",
    "gunicorn_conf.py",
    "gunicorn_config.py",
    "gunicorn-conf.py",
    "config/gunicorn.py",
)
_SAYS = {
    "workers": "workers.count = {}",
    "threads": "workers.threads = {}",
    "timeout": 'request_timeout = "{}s"',
    "max_requests": "workers.max_requests = {}",
    "user": 'user = "{}"',
    "wsgi_app": 'app = "{}"',
}
_DONE = frozenset({
    "accesslog", "access_log_format", "backlog", "bind", "capture_output", "certfile", "control_socket", "daemon",
    "enable_stdio_inheritance", "errorlog", "forwarded_allow_ips", "graceful_timeout", "group", "keepalive", "keyfile",
    "limit_request_field_size", "limit_request_fields", "limit_request_line", "logger_class", "loglevel",
    "max_requests_jitter", "pidfile", "preload_app", "print_config", "proc_name", "proxy_allow_ips", "proxy_protocol",
    "reload", "reuse_port", "secure_scheme_headers", "sendfile", "statsd_host", "syslog", "umask", "worker_class",
    "worker_connections", "worker_tmp_dir",
})  # fmt: skip
_GREEN = ("gevent", "eventlet")
"""Kinds of workers that have green threads."""
_HOOKS = frozenset({
    "on_starting", "on_reload", "when_ready", "pre_fork", "post_fork", "post_worker_init", "worker_int", "worker_abort",
    "pre_exec", "pre_request", "post_request", "child_exit", "worker_exit", "nworkers_changed", "on_exit",
})  # fmt: skip


def gunicorn_file(directory: Path) -> tuple[str, dict[str, Any]]:
    """The file's name and its settings, with Ellipsis for a value that is not a literal; an empty name for no file."""
    for name in _NAMES:
        try:
            tree = ast.parse((directory / name).read_bytes())
        except (OSError, SyntaxError, ValueError, RecursionError, MemoryError):
            continue
        return name, dict(_settings(tree))
    return "", {}


def _settings(tree: ast.Module) -> Iterator[tuple[str, Any]]:
    for statement in tree.body:
        if isinstance(statement, ast.FunctionDef):
            yield statement.name, ...
        if isinstance(statement, ast.Assign | ast.AnnAssign) and statement.value is not None:
            targets = statement.targets if isinstance(statement, ast.Assign) else [statement.target]
            yield from (
                (target.id, _literal(statement.value)) for target in targets if isinstance(target, ast.Name)
            )


def _literal(node: ast.expr) -> Any:
    try:
        return ast.literal_eval(node)
    except (ValueError, TypeError, RecursionError, MemoryError):
        return ...


def _is_sayable(key: str, value: Any) -> bool:
    """Whether Portico's option accepts the value: it does not accept Gunicorn's 0 and None for "no limit" and the
    default.
    """
    if key in ("user", "wsgi_app"):
        return isinstance(value, str) and bool(value)
    return key in _SAYS and isinstance(value, int) and value > 0


def gunicorn_notes(directory: Path) -> list[str]:
    """Notes about the file's settings, at most four sentences."""
    name, settings = gunicorn_file(directory)
    said = [_SAYS[key].format(value) for key, value in settings.items() if _is_sayable(key, value)]
    unread = [key for key, value in settings.items() if key in _SAYS and value is ...]
    hooks = [key for key in settings if key in _HOOKS]
    environment = [key for key in settings if key == "raw_env"]
    notes = [f"{name} is not used; in portico.toml say {', '.join(said)}"] if said else []
    if unread:
        notes.append(f"{name} is not used, and what it computes was not run: {', '.join(unread)}")
    if hooks or environment:
        what = [*(["its functions " + ", ".join(hooks) + " are not called"] if hooks else []),
                *(["its raw_env is not set"] if environment else [])]  # fmt: skip
        notes.append(f"{name} is not used: {'; '.join(what)}")
    if green := next((one for one in _GREEN if one in str(settings.get("worker_class"))), ""):
        instead = f"in place of {green}'s green threads, the workers have threads"
        notes.append(
            f"{name} is not used: {instead}; say workers.threads for as many requests as wait at once"
        )
    if settings.keys() & _DONE and not notes:
        notes.append(f"{name} is not used: what it sets is Portico's part")
    return notes
