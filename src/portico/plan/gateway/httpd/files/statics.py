"""Files that httpd sends itself: the app's static folders, each under its URL, and files at the root."""

from __future__ import annotations

import re

from portico.plan.gateway.httpd.access import CLOSED
from portico.plan.gateway.httpd.entry.trust import setting
from portico.plan.gateway.httpd.names import CODING, COPY, HERE, PATH
from portico.plan.gateway.httpd.syntax import Directive, directive, literal, regex, section, target, value
from portico.plan.web.files.statics import FOREVER, PRIVATE, Folder, Sent, is_for_caches
from portico.plan.web.model import Web
from portico.plan.web.mount import Files, Mount, OneFile
from portico.site.front.fingerprints import PATTERN, SOURCES

_ALLOW = "https://www.rfc-editor.org/rfc/rfc9110#section-15.5.6"
_METHODS = "GET, HEAD, OPTIONS"
_LIFE, _SENT = "PORTICO_LIFE", "PORTICO_FILE"
_WHY = "httpd sends these files itself, without a worker"


def file_rules(web: Web, mount: Mount) -> list[Directive]:
    """The rules of a mount of files, which end the search for its paths."""
    if isinstance(mount.action, OneFile):
        file = mount.action.file
        path, sent, cause = f"^{regex(file.url)}$", file.sent, file.sent.cause
        return [
            *_methods(mount, path, sent),
            *_life(web, path, cause),
            directive(
                "RewriteRule",
                path,
                target(file.path, cause),
                f"[L,E={_word(web, sent)}:1]",
                why=_WHY,
                cause=cause,
            ),
        ]
    assert isinstance(mount.action, Files)
    return _folder_rules(web, mount, mount.action.folder)


def _folder_rules(web: Web, mount: Mount, folder: Folder) -> list[Directive]:
    cause = folder.sent.cause
    path, root = f"^{regex(folder.url)}(.*)$", target(folder.path, cause).rstrip("/") + "/"
    end = f"[L,E={_word(web, folder.sent)}:1]"
    made = [
        *_methods(mount, path, folder.sent),
        directive(
            "RewriteRule", _never(folder), "-", "[R=404,L,NC]", cause=cause,
            why="never sent: dotfiles (.git, .env), Python, templates, backups of editors",
        ),
        *_life(web, path, cause),
    ]  # fmt: skip
    if not folder.has_index:
        why = "no folder has a page of its own, as with the app's static view"
        made += [
            directive("RewriteCond", f"{root}$1", "-d", why=why, cause=cause),
            directive("RewriteRule", path, "-", "[R=404,L]", why="as if it did not exist", cause=cause),
        ]
    else:
        made += _index(folder, root, end)
    made += _copy(web, folder, path, end)
    if folder.before:
        why = "a page of the previous release may still ask for a file that only that release has"
        before = target(folder.before, "reload --path").rstrip("/") + "/"
        made += [
            directive("RewriteCond", f"{root}$1", "!-f", why=why, cause="reload --path"),
            *_is_there(f"{before}$1", "reload --path"),
            directive("RewriteRule", path, f"{before}$1", end, why=why, cause="reload --path"),
        ]
    why = "anything else looks like what is not there"
    return [
        *made,
        *_is_there(f"{root}$1", cause),
        directive("RewriteRule", path, f"{root}$1", end, why=_WHY, cause=cause),
        directive("RewriteRule", path, "-", "[R=404,L]", why=why, cause=cause),
    ]


def _is_there(
    file: str, cause: str, why: str = "a file that may be read, and to which no link leads"
) -> list[Directive]:
    """The conditions of a rule that sends this file."""
    quirk = "httpd takes the file's name for a URI, where % is an escape: it finds such a link while it opens the file"
    return [
        directive("RewriteCond", file, "-f", why=why, cause=cause),
        directive("RewriteCond", file, "%", "[OR]", why=quirk, cause=cause),
        directive("RewriteCond", file, "-F", why=why, cause=cause),
    ]


def _index(folder: Folder, root: str, end: str) -> list[Directive]:
    """The page of a folder; the folder's name without its slash leads to it."""
    cause, why, url = folder.sent.cause, "the page of a folder", regex(folder.url)
    slash = "its links are relative: they need the slash"
    return [
        *_is_there(f"{root}$1index.html", cause, why),
        directive("RewriteRule", f"^{url}((?:.*/)?)$", f"{root}$1index.html", end, why=why, cause=cause),
        directive("RewriteCond", f"{root}$1", "-d", why=slash, cause=cause),
        *_is_there(f"{root}$1/index.html", cause, slash),
        directive("RewriteRule", f"^{url}(.*[^/])$", f"%{{ENV:{HERE}}}%{{ENV:{PATH}}}/", "[R=301,L,NE]", why=slash,
                  cause=cause),
    ]  # fmt: skip


def _never(folder: Folder) -> str:
    ends = "~" if folder.has_index else "~/"
    return rf"^{regex(folder.url)}(?:(?:.*/)?\.|.*(?:[{ends}]|\.(?:{SOURCES}))$)"


def _methods(mount: Mount, path: str, sent: Sent) -> list[Directive]:
    """Methods other than reading: the app's own code decides, or they are refused."""
    cause = sent.cause
    other = directive(
        "RewriteCond", "%{REQUEST_METHOD}", "!^(?:GET|HEAD)$", why="a file can only be read", cause=cause
    )
    if mount.asked:
        why = "the app's own code decides about these files: the app answers a CORS preflight"
        return [other, directive("RewriteRule", path, "-", "[L]", why=why, cause=cause)]
    why = "OPTIONS is answered, every other method is refused, and both answers name the allowed methods"
    options = directive("RewriteCond", "%{REQUEST_METHOD}", "=OPTIONS", why=why, cause=cause)
    return [
        options,
        directive("RewriteRule", path, "-", f"[R=204,L,E={_SENT}_METHOD:1]", why=why, cause=cause),
        other,
        directive("RewriteRule", path, "-", f"[R=405,L,E={_SENT}_METHOD:1]", why=why, cause=cause),
    ]


def _life(web: Web, path: str, cause: str) -> list[Directive]:
    """Marks the files whose name says that their content never changes."""
    lives = web.statics.lives
    why = "a name that holds a hash of the content never gets other content: browsers cache it for a year"
    made = [directive("RewriteRule", PATTERN, "-", f"[E={_LIFE}:1]", why=why, cause=cause)]
    for name in lives.versions:
        made += [
            directive("RewriteCond", "%{QUERY_STRING}", f"(?:^|&){regex(name)}=[^&]", cause=cause,
                      why="the app's own URLs of static files carry this argument, and it changes with the file"),
            directive("RewriteRule", path, "-", f"[E={_LIFE}:1]", why=why, cause=cause),
        ]  # fmt: skip
    changing = "a build's manifest says that this name only looks like one with a hash"
    for urls, word, reason in ((lives.forever, "1", why), (lives.changing, "0", changing)):
        made += [
            directive("RewriteRule", f"^{regex(url)}$", "-", f"[E={_LIFE}:{word}]", why=reason, cause=cause)
            for url in urls
        ]
    return made


def _copy(web: Web, folder: Folder, path: str, end: str) -> list[Directive]:
    """Sends the compressed copy if there is one."""
    copy = next((copy for copy in web.statics.copies if copy.url == folder.url), None)
    if copy is None:
        return []
    root = f"{copy.root}/%{{ENV:{CODING}}}%{{REQUEST_URI}}"
    why = (
        "Portico compressed this file ahead of time in a form that the client takes; it removes the copy when the file "
        "changes"
    )
    flags = end.replace("[L", f"[L,E=no-gzip:1,E=no-brotli:1,E={COPY}:%1")
    return [
        directive("RewriteCond", f"%{{ENV:{CODING}}}", "^(.+)$", why="the client takes a compressed form"),
        directive("RewriteCond", root, "-f", why=why),
        directive("RewriteCond", f"%{{ENV:{CODING}}}", "^(.+)$", why="which form it is"),
        directive("RewriteRule", path, root, flags, why=why, cause=folder.sent.cause),
    ]


def file_headers(web: Web) -> list[Directive]:
    """In a virtual host: the headers of files."""
    if not web.statics.sent:
        return []
    known = f"{_SENT}_METHOD"
    is_one = f"expr=-n reqenv('{known}') || -n reqenv('REDIRECT_{known}')"
    made = [
        directive("Header", "always", "set", "Allow", _METHODS, is_one, source=_ALLOW,
                  why="the methods that a file knows: with OPTIONS, and with the page of 405"),
    ]  # fmt: skip
    for sent in dict.fromkeys(web.statics.sent):
        made += _life_headers(web, sent)
        made.append(
            directive("Header", "setifempty", "X-Content-Type-Options", "nosniff", f"env={_word(web, sent)}",
                      why="a file is what its type says, whatever its bytes look like")
        )  # fmt: skip
        made += [
            directive("Header", "set", name, value(text), f"env={_word(web, sent)}", cause=sent.cause,
                      why="the app's own header of its files")
            for name, text in sent.headers
        ]  # fmt: skip
        made += _closed(web, sent) if web.access.closed else []
    return [*made, *_copy_headers(web)]


def _life_headers(web: Web, sent: Sent) -> list[Directive]:
    """How long browsers may keep these files."""
    mark, cause = _word(web, sent), sent.cause

    def said(text: str, condition: str, why: str) -> Directive:
        return directive("Header", "set", "Cache-Control", value(text), condition, why=why, cause=cause)

    if sent.cache_control:
        return [said(sent.cache_control, f"env={mark}", "what the app says of its files")]
    why = "any file may change: browsers cache it and ask each time, and 304 has no bytes"
    is_hashed = f"expr=-n reqenv('{mark}') && reqenv('{_LIFE}') == '1'"
    return [
        said(web.statics.lives.short, f"env={mark}", why),
        said(FOREVER, is_hashed, "a name with a hash never gets other content"),
    ]


def _closed(web: Web, sent: Sent) -> list[Directive]:
    """The same where not everybody may come: no cache between the site and a browser keeps a file of there."""
    why = "where access is restricted, no cache on the way stores a file for others, and browsers revalidate"
    closed = f"expr=-n reqenv('{_word(web, sent)}') && -n reqenv('{CLOSED}')"
    made = [
        directive("Header", "unset", name, closed, why=why, cause=sent.cause)
        for name, _ in sent.headers
        if is_for_caches(name)
    ]
    if not re.search(r"\b(?:private|no-store)\b", sent.cache_control, re.IGNORECASE):
        made.append(directive("Header", "set", "Cache-Control", PRIVATE, closed, why=why, cause=sent.cause))
    return made


def _copy_headers(web: Web) -> list[Directive]:
    if not web.statics.copies:
        return []
    why = "how the copy was compressed"
    made = [directive("Header", "set", "Content-Encoding", f"%{{{COPY}}}e", f"env={COPY}", why=why)]
    marks = " || ".join(f"-n reqenv('{_word(web, sent)}')" for sent in dict.fromkeys(web.statics.sent))
    why = "a cache in between must keep the forms apart"
    return [*made, directive("Header", "merge", "Vary", "Accept-Encoding", f"expr={marks}", why=why)]


def folders(web: Web) -> list[Directive]:
    """In the server configuration: the folders that may be read, and how."""
    found: dict[str, str] = {}
    for mount in web.mounts:
        match mount.action:
            case Files(folder):
                found |= {folder.path: folder.sent.cause} | (
                    {folder.before: "reload --path"} if folder.before else {}
                )
            case OneFile(file):
                found.setdefault(file.path.rpartition("/")[0], file.sent.cause)
    made = [_folder(path, cause) for path, cause in found.items()]
    return [*made, *(_folder(copy.root, "compressed copies") for copy in web.statics.copies)]


def _folder(path: str, cause: str) -> Directive:
    return section(
        "Directory", literal(path, cause).rstrip("/") or "/", why="a folder of files", cause=cause,
        of=[
            directive("Require", "all", "granted", why="these files are for everybody whom the rules let come"),
            directive("Options", "None", why="httpd follows no link below it, and lists no files"),
            directive("DirectoryIndex", "index.html", why="the page of a folder, where the rules let folders come"),
            directive("AcceptPathInfo", "Off", why="a path below a file does not exist"),
        ],
    )  # fmt: skip


def _word(web: Web, sent: Sent) -> str:
    """The mark of files with the same settings."""
    return f"{_SENT}_{list(dict.fromkeys(web.statics.sent)).index(sent)}"


def unmarked() -> Directive:
    """In a virtual host: no file yet."""
    return setting("true", f"{_LIFE}=0", "how long browsers may keep a file: nothing is known yet")
