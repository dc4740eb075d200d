"""Sites with the faults that tutorials leave in them: a hand-written nginx before a naive app, and a server that reads
requests as no server should."""

from __future__ import annotations

import json
import os
import socket
import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any, NamedTuple

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID

from tests.support import free_port, private_directory, write_files
from tests.support.process import running
from tests.support.until import until

NGINX = "/usr/sbin/nginx"
_CONF = """
daemon off; pid {home}/nginx.pid; error_log {home}/error.log; worker_processes 1; {user}
events {{ }}
http {{
    access_log off; client_body_temp_path {home}/t; proxy_temp_path {home}/t; fastcgi_temp_path {home}/t;
    uwsgi_temp_path {home}/t; scgi_temp_path {home}/t; types {{ text/css css; }} default_type text/plain;
    server {{
        listen 127.0.0.1:{port};
        listen 127.0.0.1:{secure} ssl;
        ssl_certificate {home}/cert.pem; ssl_certificate_key {home}/key.pem;
        ssl_protocols TLSv1 TLSv1.1 TLSv1.2; ssl_ciphers ALL:@SECLEVEL=0;
        client_max_body_size 0; proxy_request_buffering off;
        add_header X-Content-Type-Options nosniff;
        root {home}/app;
        location / {{ try_files $uri @app; }}
        location /static {{ alias {home}/app/static/; autoindex on; }}
        location = /nginx_status {{ stub_status; }}
        location @app {{ proxy_pass http://127.0.0.1:{app}; proxy_set_header Host $http_host; }}
    }}
}}
"""
_FILES = {
    "app/.env": "SECRET_KEY=x\n",
    "app/.git/HEAD": "ref: refs/heads/main\n",
    "app/app.py": "import os\n\ndef main():\n    pass\n",
    "app/db.sqlite3": "SQLite format 3\0",
    "app/static/app.css": "body {}\n",
}


class Bad(NamedTuple):
    """Its two addresses."""

    plain: str
    secure: str


class _App(BaseHTTPRequestHandler):
    """Believes each header."""

    protocol_version = "HTTP/1.1"
    server_version = "Naive/1.2.3"

    def handle_any(self) -> None:
        self.rfile.read(min(int(self.headers.get("Content-Length") or 0), 4096))
        scheme = self.headers.get("X-Forwarded-Proto", "http")
        host = self.headers.get("X-Forwarded-Host") or self.headers.get("Host", "")
        path = self.headers.get("X-Original-URL") or self.path.partition("?")[0]
        prefix = self.headers.get("X-Script-Name", "")
        origin = self.headers.get("Origin", "")
        cors = (
            {"Access-Control-Allow-Origin": origin, "Access-Control-Allow-Credentials": "true"}
            if origin
            else {}
        )
        page = (
            f'<!doctype html><link href="/static/app.css"><a href="{scheme}://{host}{prefix}/cart">cart</a>'
        )
        page += f'<a href="{prefix}/login">in</a>'
        if "id=" in self.path:
            self.say(500, "<pre>Traceback (most recent call last):\n File &quot;/srv/app.py&quot;</pre>", {})
        elif path == "/openapi.json":
            self.say(200, json.dumps({"openapi": "3.1.0"}), {"Content-Type": "application/json"})
        elif path == "/console":
            self.say(200, "<h1>Interactive Console</h1>", {})
        elif path == "/login":
            self.say(302, "", {"Location": f"{scheme}://{host}/", "Set-Cookie": "session=1"})
        elif path == "/":
            self.say(200, page, {"Set-Cookie": "session=1", **cors})
        else:
            self.say(404, "not found", {})

    def say(self, status: int, text: str, more: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in ({"Content-Type": "text/html", "Content-Length": str(len(text))} | more).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(text.encode())

    do_GET = do_POST = do_PORTICOCHECK = handle_any  # noqa: N815

    def log_message(self, *_: Any) -> None:
        pass


class _Server(socketserver.ThreadingMixIn, socketserver.TCPServer):
    allow_reuse_address = True
    daemon_threads = True
    request_queue_size = 64

    def handle_error(self, *_: Any) -> None:
        """A client that has left is no news."""


@contextmanager
def serving(handler: type[socketserver.BaseRequestHandler]) -> Iterator[int]:
    port = free_port()
    with _Server(("127.0.0.1", port), handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        yield port
        server.shutdown()


@contextmanager
def hand_written() -> Iterator[Bad]:
    """Debian's nginx with a configuration as found in the wild."""
    with private_directory() as home, serving(_App) as app:
        write_files(home, _FILES)
        (home / "t").mkdir()
        _certificate(home)
        port, secure = free_port(), free_port()
        conf = _CONF.format(home=home, port=port, secure=secure, app=app, user=_user())
        (home / "nginx.conf").write_text(conf)
        argv = [NGINX, "-e", str(home / "error.log"), "-c", str(home / "nginx.conf"), "-p", str(home)]
        with (home / "out.txt").open("w") as out, running(argv, stdout=out, stderr=out):
            until(lambda: _listens(secure), lambda: (home / "error.log").read_text())
            yield Bad(f"http://127.0.0.1:{port}/", f"https://localhost:{secure}/")


def _user() -> str:
    return "user root;" if os.geteuid() == 0 else ""


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def _certificate(home: Path) -> None:
    """Of another name, and it has ended."""
    key = rsa.generate_private_key(65537, 2048)
    name, now = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "other.example")]), datetime.now(UTC)
    made = x509.CertificateBuilder(name, name, key.public_key(), 1, now - timedelta(90), now - timedelta(1))
    made = made.add_extension(x509.SubjectAlternativeName([x509.DNSName("other.example")]), critical=False)
    signed = made.sign(key, hashes.SHA256())
    (home / "cert.pem").write_bytes(signed.public_bytes(serialization.Encoding.PEM))
    form = serialization.PrivateFormat.TraditionalOpenSSL
    (home / "key.pem").write_bytes(
        key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption())
    )


class TwoReaders(socketserver.BaseRequestHandler):
    """As two servers: the first goes by Content-Length, the next one by a coding, however it is written."""

    def handle(self) -> None:
        with suppress(OSError):
            self._handle()

    def _handle(self) -> None:
        self.request.settimeout(60)
        data = b""
        while b"\r\n\r\n" not in data:
            if not (more := self.request.recv(65536)):
                return
            data += more
        head, _, body = data.partition(b"\r\n\r\n")
        length = next((int(line[15:]) for line in head.split(b"\r\n") if line[:15].lower() == b"content-length:"
                       and line[15:].strip().isdigit()), 0)  # fmt: skip
        length = min(length, 100)
        while len(body) < length:
            if not (more := self.request.recv(65536)):
                return
            body += more
        if b"chunked" in head and not body[:length].endswith(b"0\r\n\r\n"):
            while self.request.recv(65536):  # the next server waits for the last chunk
                pass
            return
        if head.startswith(b"CONNECT "):
            self.request.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
            return
        text = head if head.startswith(b"TRACE ") else b"<!doctype html>a page"
        self.request.sendall(
            b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%s" % (len(text), text)
        )
