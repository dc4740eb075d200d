"""Which app servers there are. `plan/app_servers` writes for each."""

from __future__ import annotations

from portico.app_servers.gunicorn import GUNICORN, GUNICORN_ASGI
from portico.app_servers.uwsgi import UWSGI

KINDS = (GUNICORN, GUNICORN_ASGI, UWSGI)
NAMES = tuple(dict.fromkeys(kind.name for kind in KINDS))
