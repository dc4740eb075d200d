"""Files: folders that are found wrongly, not at all, or by the wrong people."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import PurePosixPath

from portico.explain.finding import Finding
from portico.explain.nginx.findings.config import (
    Config,
    added,
    instead,
    is_pattern,
    is_prefix,
    variables,
    written,
)
from portico.explain.nginx.locations import Rule, find_location, rule
from portico.explain.node import Node

_SYSTEM = frozenset(("/", "/etc", "/home", "/root", "/var", "/usr", "/srv", "/opt", "/proc", "/sys", "/dev"))
_SECRETS = ("/.git/config", "/.env")
_STARTS = "location ~ /\\.(?!well-known/) { return 404; }"


def slashes(config: Config) -> Iterator[Finding]:
    """`alias` and its location end alike, or files are lost or found that should not be."""
    for node in config.named("alias"):
        location = config.parent(node)
        if not is_prefix(location) or not node.args or "$" in node.args[0]:
            continue
        kind, prefix = rule(location)
        folder = node.args[0]
        if folder.endswith("/") and not prefix.endswith("/"):
            above = str(PurePosixPath(folder).parent)
            yield config.finding(
                "alias-slash",
                location,
                f"the location {prefix} has no slash at its end, and its alias has one",
                f"anybody reads files of {above} by GET {prefix}../",
                instead(f"location {kind + ' ' if kind else ''}{prefix}/ {{"),
            )
        elif prefix.endswith("/") and prefix != "/" and not folder.endswith("/"):
            yield config.finding(
                "alias-lost-slash",
                node,
                f"the location {prefix} ends in a slash, and its alias does not",
                f"{prefix}a.css is looked for at {folder}a.css and answers 404",
                instead(written("alias", f"{folder}/")),
            )


def patterns(config: Config) -> Iterator[Finding]:
    """`alias` in a location by pattern needs the captures."""
    for node in config.named("alias"):
        location = config.parent(node)
        if is_pattern(location) and node.args and not variables(node.args[0]):
            yield config.finding(
                "alias-pattern",
                node,
                "an alias below a pattern gets no part of the path",
                f"every path that matches leads to {node.args[0]} itself",
                instead(written("alias", node.args[0].rstrip("/") + "/$1")),
            )


def roots(config: Config) -> Iterator[Finding]:
    """`root` adds the whole path: a folder that is named twice is not there."""
    for node in config.named("root"):
        location = config.parent(node)
        if not is_prefix(location) or not node.args:
            continue
        prefix, folder = rule(location).pattern.rstrip("/"), node.args[0].rstrip("/")
        if prefix and folder.endswith(prefix):
            yield config.finding(
                "root-doubled",
                node,
                f"root adds the whole path, and {folder} has {prefix} already",
                f"{prefix}/a.css is looked for at {folder}{prefix}/a.css and answers 404",
                instead(written("root", folder.removesuffix(prefix) or "/")),
            )


def inner_roots(config: Config) -> Iterator[Finding]:
    """A root that only one location has is missing in the others."""
    for server in config.servers:
        if config.in_force(server, "root"):
            continue
        own = [one for one in server.all("location") if one.first("root") and rule(one) == Rule("", "/")]
        rootless = [
            one
            for one in server.all("location")
            if not config.in_force(one, "root", "alias") and one.first("try_files", "index", "expires")
            and not one.first("return", "proxy_pass", "uwsgi_pass", "fastcgi_pass", "grpc_pass", "scgi_pass")
        ]  # fmt: skip
        for one in own:
            line = one.all("root")[0]
            for lost in rootless:
                yield config.finding(
                    "root-inside-location",
                    line,
                    f"this root holds in location / alone, and {lost.text} has none",
                    f"{lost.text} looks for files in nginx's own folder and answers 404",
                    added(server, written("root", *line.args)),
                )


def wide(config: Config) -> Iterator[Finding]:
    """A folder of the system, or the app's own."""
    for node in config.named("root", "alias"):
        folder = (node.args[0].rstrip("/") or "/") if node.args else ""
        location = config.parent(node)
        if folder in _SYSTEM and (node.name == "root" or rule(location).kind != "="):
            if node.name == "root" and is_prefix(location) and rule(location).pattern.rstrip("/"):
                continue
            yield config.finding(
                "wide-root",
                node,
                f"{folder} holds far more than a site",
                "anybody reads what nginx's user may read there: configuration, keys, other people's files",
                instead(
                    written(node.name, f"{folder.rstrip('/')}/site" + ("/" if node.name == "alias" else ""))
                ),
            )


def sources(config: Config) -> Iterator[Finding]:
    """A socket that lies in a served folder shows that the folder is the app's own."""
    for node in config.passes:
        server = config.server_of(node)
        for address in config.target(node).servers:
            if server is None or not address.startswith("unix:"):
                continue
            folder = str(PurePosixPath(address.removeprefix("unix:").removeprefix("//")).parent)
            for line in [
                *server.all("root"),
                *(one for loc in config.locations_of(server) for one in loc.all("root")),
            ]:
                inside = line.args and folder != "/" and line.args[0].rstrip("/") == folder
                location = config.parent(line)
                if (
                    inside
                    and (location is server or rule(location) == Rule("", "/"))
                    and _is_read(config, server, line)
                ):
                    yield config.finding(
                        "source-served",
                        line,
                        f"{folder} is served, and the app's socket is in it: it is the app's folder",
                        "anybody downloads the app's code, its settings and a SQLite database by their names",
                        instead(written("root", f"{folder}/public")),
                    )
                    return


def _is_read(config: Config, server: Node, line: Node) -> bool:
    """Whether some location answers with files of that root."""
    places = [one for one in config.locations_of(server) if line in config.in_force(one, "root")]
    return any(
        config.serves_files(one) and not is_pattern(one) and rule(one).pattern == "/" for one in places
    ) or not any(rule(one).pattern == "/" for one in places)


def hidden(config: Config) -> Iterator[Finding]:
    """Files whose name begins with a dot are for the machine."""
    for server in config.servers:
        if not config.serves(server):
            continue
        for path in _SECRETS:
            found, _ = find_location(server, path)
            level = found or server
            if found is None and not server.first("root"):
                continue
            folder = config.in_force(level, "root", "alias")
            if (
                not folder
                or not config.is_open(level)
                or (found is not None and not config.serves_files(found))
            ):
                continue
            if found is not None and rule(found).kind == "~":
                continue
            yield config.finding(
                "dotfiles",
                folder[-1],
                f"files whose names begin with a dot are served, such as {path}",
                "anybody reads the history of a repository or the passwords in .env, if they are ever copied there",
                added(server, _STARTS),
            )
            break


def listings(config: Config) -> Iterator[Finding]:
    for node in config.named("autoindex"):
        if node.args == ("on",) and config.is_open(config.parent(node)):
            yield config.finding(
                "autoindex",
                node,
                "folders are listed",
                "anybody sees the names of all files, also of those that nothing links to",
                instead(written("autoindex", "off")),
            )


def fallbacks(config: Config) -> Iterator[Finding]:
    """The last word of `try_files` is where nginx goes, not one more file."""
    for node in config.named("try_files"):
        last = node.args[-1] if node.args else ""
        if len(node.args) > 1 and last in ("$uri", "$uri/"):
            yield config.finding(
                "try-files-last",
                node,
                f"the last word of try_files, {last}, is not looked for: nginx goes there",
                "a missing file sends nginx round in a circle, and it answers 500",
                instead(written("try_files", *node.args, "=404")),
            )


def types(config: Config) -> Iterator[Finding]:
    """nginx itself knows three types."""
    http = config.http
    if http is None or config.named("types") or any(one.name == "include" for one in http.children or ()):
        return
    for location in config.locations:
        if config.serves_files(location) and not location.first("default_type"):
            yield config.finding(
                "no-types",
                http,
                "no table of types is included, and nginx itself knows html, gif and jpg",
                "style sheets and scripts arrive as text or downloads, and browsers do not use them",
                added(
                    http,
                    written("include", "mime.types"),
                    written("default_type", "application/octet-stream"),
                ),
            )
            return


def php(config: Config) -> Iterator[Finding]:
    """A path that merely ends in .php is not yet a script."""
    for node in config.named("fastcgi_pass"):
        location = config.parent(node)
        if not is_pattern(location) or "php" not in rule(location).pattern:
            continue
        checked = location.first("try_files", "if", "fastcgi_split_path_info")
        if checked is None and "$request_filename" not in str(location):
            yield config.finding(
                "php-any-file",
                location,
                "any path that ends in .php is handed to PHP, whether the file is there or not",
                "who can upload a picture can have it run as a script (/uploads/a.jpg/x.php)",
                added(location, written("try_files", "$uri", "=404")),
            )


def lying_dots(config: Config) -> Iterator[Finding]:
    """A dot in a pattern stands for any character."""
    for location in config.locations:
        pattern = rule(location).pattern
        if is_pattern(location) and re.search(r"(?:^|[^\\)\]*+?])\.[a-z0-9]{2,5}\$$", pattern):
            right = re.sub(r"\.(?=[a-z0-9]{2,5}\$$)", r"\\.", pattern)
            yield config.finding(
                "pattern-dot",
                location,
                f"the dot in {pattern} stands for any character",
                "paths match that should not, such as /notphp for .php$",
                instead(f"location {rule(location).kind} {right} {{"),
            )


def links(config: Config) -> Iterator[Finding]:
    for node in config.named("disable_symlinks"):
        if node.args == ("off",):
            yield config.finding(
                "symlinks",
                node,
                "links in served folders are followed wherever they lead",
                "who may write there publishes any file that nginx's user may read",
                instead(written("disable_symlinks", "if_not_owner")),
            )


FINDERS = (
    slashes, patterns, roots, inner_roots, wide, sources, hidden, listings, fallbacks, types, php, lying_dots, links,
)  # fmt: skip
