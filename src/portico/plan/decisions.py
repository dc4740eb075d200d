"""The decisions behind generated lines, as `explain` names them: a few words, and the page with more."""

from __future__ import annotations

from typing import Final

LINK: Final = "the link from the gateway to the app, docs/decisions/01-the-link-is-uwsgi.md"
WORKER: Final = "Portico's own Gunicorn worker, docs/decisions/02-portico-brings-its-own-worker.md"
RENAME: Final = "releases that switch by a rename, docs/decisions/03-releases-switch-by-rename.md"
TRANSFERS: Final = (
    "transfers that outlive a reload, docs/decisions/03b-old-nginx-workers-finish-their-transfers.md"
)
LOG_LINE: Final = "one log line for each request, docs/decisions/04-one-log-line-for-each-request.md"
ROUTES: Final = (
    "settings that stand beside a route, docs/decisions/06a-route-settings-stand-beside-the-route.md"
)
DOWNLOADS: Final = (
    "downloads that the gateway carries, docs/decisions/06b-nginx-carries-files-that-the-app-opened.md"
)
TIMES: Final = "one number for time, docs/decisions/09-one-number-for-time.md"
QUEUE: Final = (
    "requests whose client has left, docs/decisions/09c-a-request-whose-client-left-is-not-executed.md"
)
PROTECTED: Final = "files that the app protects, docs/decisions/12b-protected-files-stay-protected.md"
