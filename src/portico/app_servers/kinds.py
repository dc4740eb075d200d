"""Which app servers there are. `plan/app_servers` writes for each."""

from __future__ import annotations

from portico.app_servers.gunicorn import GUNICORN, GUNICORN_ASGI, GUNICORN_ASGI_HTTP
from portico.app_servers.uwsgi import UWSGI

KINDS = (GUNICORN, GUNICORN_ASGI, GUNICORN_ASGI_HTTP, UWSGI)
NAMES = tuple(dict.fromkeys(kind.name for kind in KINDS))
