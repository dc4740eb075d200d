"""Gunicorn's settings, from its command line and its file; the file is parsed (`ast`), never executed."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from typing import Any

from portico.explain.adopted import Fate, Option, Remark
from portico.project.adopt.app_server import AppServer, Found, Settings, http_address, remark

_FLAGS = {
    "-b": "bind", "-w": "workers", "-k": "worker_class", "-t": "timeout", "-c": "config", "-u": "user", "-g": "group",
    "-e": "raw_env", "-p": "pidfile", "-n": "proc_name", "-m": "umask", "-R": "enable_stdio_inheritance",
    "-D": "daemon",
}  # fmt: skip
_NAMES = {
    "env": "raw_env", "pid": "pidfile", "name": "proc_name", "keep_alive": "keepalive", "access_logfile": "accesslog",
    "error_logfile": "errorlog", "log_file": "errorlog", "log_level": "loglevel", "preload": "preload_app",
}  # fmt: skip
_SWITCHES = frozenset({
    "preload_app", "reload", "daemon", "capture_output", "check_config", "print_config", "enable_stdio_inheritance",
    "no_sendfile", "reuse_port", "proxy_protocol", "spew", "disable_redirect_access_to_syslog", "no_control_socket",
})  # fmt: skip
_SYNC_SECONDS = 30
_HOOKS = ("on_starting", "on_reload", "when_ready", "pre_fork", "post_fork", "post_worker_init", "worker_int",
          "worker_abort", "pre_exec", "pre_request", "post_request", "child_exit", "worker_exit", "nworkers_changed",
          "on_exit", "ssl_context")  # fmt: skip
_COUNTS = {"threads": ("workers", "threads"), "max_requests": ("workers", "max_requests")}


def of_arguments(words: Sequence[str], cause: str) -> dict[str, Found]:
    """The settings of a command line behind the word `gunicorn`; the app is `wsgi_app`."""
    made, rest = dict[str, Found](), list(words)
    while rest:
        word = rest.pop(0)
        name, equals, value = word.partition("=")
        if not word.startswith("-"):
            made["wsgi_app"] = Found(word, cause, word)
            continue
        if len(name) > 2 and not name.startswith("--") and name[:2] in _FLAGS:  # -w4
            name, value, equals = name[:2], name[2:], "="
        key = _FLAGS.get(name) or name.lstrip("-").replace("-", "_")
        key = _NAMES.get(key, key)
        if key in _SWITCHES:
            made[key] = Found(True, cause, word)
            continue
        value = value if equals else (rest.pop(0) if rest else "")
        if key in ("raw_env", "bind") and key in made:
            made[key] = Found((*_list(made[key].value), value), cause, f"{name} {value}")
        else:
            made[key] = Found(value, cause, f"{name} {value}")
    return made


def of_file(content: bytes, where: str) -> dict[str, Found]:
    """The settings of gunicorn.conf.py; Ellipsis where it computes a value. Raises ValueError for invalid Python."""
    try:
        tree = ast.parse(content)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise ValueError(f"is not valid Python: {error}") from None
    return {key: Found(value, f"{where}:{line}", text) for key, value, line, text in _settings(tree)}


def _settings(tree: ast.Module) -> Iterator[tuple[str, Any, int, str]]:
    for statement in tree.body:
        if isinstance(statement, ast.FunctionDef):
            yield statement.name, ..., statement.lineno, f"def {statement.name}(...)"
        elif isinstance(statement, ast.Assign | ast.AnnAssign) and statement.value is not None:
            targets = statement.targets if isinstance(statement, ast.Assign) else [statement.target]
            for target in targets:
                if isinstance(target, ast.Name):
                    text = f"{target.id} = {' '.join(ast.unparse(statement.value).split())}"
                    yield target.id, _literal(statement.value), statement.lineno, text[:100]


def _literal(node: ast.expr) -> Any:
    try:
        return ast.literal_eval(node)
    except (ValueError, TypeError, RecursionError, MemoryError):
        return ...


def server_of(settings: Settings, directory: str, where: str) -> AppServer:
    """What the settings say in Portico's options."""
    remarks = list(_remarks(settings))
    options = list[Option]()
    for key, target in _COUNTS.items():
        _count(settings, key, target, options, remarks)
    _count(settings, "workers", ("workers", "count"), options, remarks)
    user = settings.get("user")
    if user is not None and isinstance(user.value, str) and user.value:
        options.append(Option(("user",), user.value, user.cause, user.text))
    app = settings.get("wsgi_app")
    worker = str(settings["worker_class"].value) if "worker_class" in settings else "sync"
    chdir = settings.get("chdir")
    folder = str(chdir.value) if chdir is not None and isinstance(chdir.value, str) else directory
    name = str(app.value) if app is not None and isinstance(app.value, str) else ""
    return AppServer(
        "gunicorn", where, name, folder if folder.startswith("/") else f"{directory}/{folder}", _binds(settings),
        tuple(options), tuple(remarks), has_asgi="uvicorn" in worker.lower() or worker == "asgi",
        timeout=_timeout(settings, worker),
    )  # fmt: skip


def _binds(settings: Settings) -> tuple[str, ...]:
    found = settings.get("bind")
    if found is None:
        return ("127.0.0.1:8000",)
    if found.value is ...:
        return ()
    return tuple(address for text in _list(found.value) if (address := http_address(str(text))))


def _list(value: object) -> tuple[object, ...]:
    return tuple(value) if isinstance(value, list | tuple) else (value,)


def _count(
    settings: Settings, key: str, target: tuple[str, ...], options: list[Option], remarks: list[Remark]
) -> None:
    found = settings.get(key)
    number = _number(found)
    if found is None or number == 0:
        return
    if number is not None and number > 0:
        options.append(Option(target, number, found.cause, found.text))
    else:
        why = "it is computed, and the file is not run: Portico counts the CPUs of the cgroup, and the memory"
        remarks.append(remark(Fate.IMPROVED, found, why))


def _number(found: Found | None) -> int | None:
    if found is None or isinstance(found.value, bool):
        return None
    if isinstance(found.value, int):
        return found.value
    return (
        int(found.value)
        if isinstance(found.value, str) and found.value.isascii() and found.value.isdigit()
        else None
    )


def _timeout(settings: Settings, worker: str) -> Option | None:
    """Gunicorn ends a request that is longer only where a worker has one thread."""
    found = settings.get("timeout")
    number = _number(found) if found is not None else _SYNC_SECONDS
    threads = _number(settings.get("threads")) or 1
    if worker != "sync" or threads > 1 or not number:
        return None
    if found is None:
        return Option(("request_timeout",), f"{number}s", "", "Gunicorn's timeout is 30 by default")
    return Option(("request_timeout",), f"{number}s", found.cause, found.text)


def _remarks(settings: Settings) -> Iterator[Remark]:
    for key, found in settings.items():
        if key == "raw_env":
            names = ", ".join(str(one).partition("=")[0] for one in _list(found.value) if one is not ...)
            hidden = Found(found.value, found.cause, f"raw_env: {names}")
            yield remark(
                Fate.LOST,
                hidden,
                "values may be secret: none is copied",
                "set them in [env] or env_file (docs/environment.md)",
            )
        elif key in ("group", "umask", "initgroups"):
            yield remark(Fate.LOST, found, "the app has the groups of its user")
        elif key in ("certfile", "keyfile", "ca_certs"):
            yield remark(Fate.LOST, found, "clients reach nginx, not Gunicorn", "set [https] cert and key")
        elif key == "worker_class" and not str(found.value).endswith(
            ("sync", "gthread", "UvicornWorker", "asgi")
        ):
            yield remark(
                Fate.LOST,
                found,
                "Portico's worker has threads",
                "set [workers] threads to as many as wait at once",
            )
        elif key in _HOOKS:
            yield remark(Fate.LOST, found, "the functions of Gunicorn's file are not called")
        elif key in ("logger_class", "logconfig", "logconfig_dict", "statsd_host"):
            yield remark(
                Fate.LOST, found, "Portico logs one line a request", "see portico logs and portico metrics"
            )
        elif key in ("accesslog", "errorlog", "access_log_format", "loglevel", "capture_output"):
            yield remark(
                Fate.IMPROVED, found, "Portico logs one line a request, with what the app wrote during it"
            )
        elif key in ("reload",) and found.value is True:
            yield remark(
                Fate.LOST,
                found,
                "it is for development",
                "portico reload releases new code without losing a request",
            )
