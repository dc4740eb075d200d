"""The httpd configurations of the peers: what a tutorial gives, on Debian's defaults.

Every peer behind httpd uses Debian's binary with the event MPM, and logs every request.
"""

from __future__ import annotations

from pathlib import Path

_MODULES = "/usr/lib/apache2/modules"
_LOG = '"%h %l %u %t \\"%r\\" %>s %O \\"%{Referer}i\\" \\"%{User-Agent}i\\"" combined'
_DEBIAN = {
    "Timeout": "300",
    "KeepAlive": "On",
    "MaxKeepAliveRequests": "100",
    "KeepAliveTimeout": "5",
    "HostnameLookups": "Off",
    "LogLevel": "warn",
    "StartServers": "2",
    "MinSpareThreads": "25",
    "MaxSpareThreads": "75",
    "ThreadLimit": "64",
    "ThreadsPerChild": "25",
    "MaxRequestWorkers": "150",
    "MaxConnectionsPerChild": "0",
    "ServerTokens": "OS",
    "TraceEnable": "Off",
}
"""Of Debian's apache2.conf, mpm_event.conf and security.conf."""


def proxy(directory: Path, port: int, inner_port: int) -> str:
    """`ProxyPass` to Gunicorn over TCP, with the host and the scheme kept."""
    to = f"http://127.0.0.1:{inner_port}/"
    site = [
        "ProxyPreserveHost On",
        f"ProxyPass / {to}",
        f"ProxyPassReverse / {to}",
        "RequestHeader set X-Forwarded-Proto http",
    ]
    return _conf(directory, port, ["proxy", "proxy_http", "headers"], {}, site)


def mod_wsgi(directory: Path, port: int, module: Path, venv: Path) -> str:
    """The app in processes of mod_wsgi's own: `WSGIDaemonProcess` and `WSGIScriptAlias`."""
    processes, places = (
        "processes=2 threads=4",
        f"python-home={venv} home={directory} python-path={directory}",
    )
    site = [
        f"WSGIDaemonProcess app {processes} {places} display-name=%{{GROUP}}",
        f"WSGIScriptAlias / {directory}/app.wsgi process-group=app application-group=%{{GLOBAL}}",
        f"<Directory {directory}>",
        "Require all granted",
        "</Directory>",
    ]
    more = {"LoadModule wsgi_module": str(module), "WSGISocketPrefix": str(directory / "wsgi")}
    return _conf(directory, port, [], more, site)


def _conf(directory: Path, port: int, modules: list[str], more: dict[str, str], site: list[str]) -> str:
    every = ["mpm_event", "authz_core", "alias", "mime", "deflate", "filter", "reqtimeout", *modules]
    lines = [
        f"ServerRoot {directory}",
        f"PidFile {directory}/httpd.pid",
        f"DefaultRuntimeDir {directory}",
        "ServerName localhost",
        *(f"LoadModule {name}_module {_MODULES}/mod_{name}.so" for name in every),
        *(f"{name} {value}" for name, value in (_DEBIAN | more).items()),
        "TypesConfig /dev/null",
        "AddOutputFilterByType DEFLATE text/html text/plain text/css application/javascript application/json",
        f"ErrorLog {directory}/error.log",
        f"LogFormat {_LOG}",
        f"Listen 127.0.0.1:{port}",
        "<VirtualHost *>",
        f"CustomLog {directory}/access.log combined",
        *site,
        "</VirtualHost>",
    ]
    return "\n".join(lines) + "\n"
