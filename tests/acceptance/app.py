"""The site that the checks ask: an app for Flask alone, which any way of running Portico can serve."""

APP = """
import hashlib, os, pathlib, tempfile, time
from flask import Flask, Response, request
from portico import edge

app = Flask(__name__)
there = pathlib.Path(tempfile.gettempdir())

@app.get("/seen")
def seen():
    return {"address": request.remote_addr, "scheme": request.scheme, "host": request.host, "url": request.url,
            "forwarded": request.headers.get("X-Forwarded-For", "")}

@app.get("/own-headers")
def own_headers():
    return Response("own", headers={"X-Frame-Options": "DENY", "X-Request-ID": "mine"})

@app.post("/upload")
def upload():
    return hashlib.sha256(request.get_data()).hexdigest()

@app.get("/fail")
def fail():
    raise RuntimeError("the app's secret")

@app.get("/too-slow")
@edge.timeout("1s")
def too_slow():
    time.sleep(5)
    return "late"

@app.get("/stream/<key>")
def stream(key):
    def events():
        yield "data: one\\n\\n"
        until = time.monotonic() + 60
        while not (there / f"go-{key}").exists() and time.monotonic() < until:
            time.sleep(0.02)
        yield "data: two\\n\\n"
    return Response(events(), mimetype="text/event-stream")

@app.post("/go/<key>")
def go(key):
    (there / f"go-{key}").touch()
    return ""
"""
MAX_UPLOAD = 2 << 20
FILES = {
    "shop.py": APP,
    "portico.toml": 'app = "shop:app"\nrequest_timeout = "12s"\nmax_upload = "2MiB"\n',
    "static/a.css": "a { color: red }\n" * 100,
    "static/.env": "SECRET=1\n",
    "requirements.txt": "flask\n",
}
