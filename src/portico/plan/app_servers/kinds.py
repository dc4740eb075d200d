"""Who writes the process and the file of each app server."""

from __future__ import annotations

from portico.app_servers.gunicorn import GUNICORN
from portico.app_servers.uwsgi import UWSGI
from portico.plan.app_servers.gunicorn import gunicorn_conf, gunicorn_process
from portico.plan.app_servers.uwsgi import uwsgi_ini, uwsgi_process

WRITERS = {
    GUNICORN.name: (gunicorn_process, gunicorn_conf),
    UWSGI.name: (uwsgi_process, uwsgi_ini),
}
"""The process and the file of each."""
