"""Small deployments that are well, and what is broken in each of those of `test_seeded_faults`."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from msgspec.structs import replace

from portico.check.findings import findings
from portico.check.model import Finding
from portico.check.system.around import Around, Kernel
from portico.project.gather import gather
from portico.values import Address
from tests.support import free_port, write_files

GOOD = "kX3vLq8ZpW5nRt7YcB2mHf9D"
FLASK = f"""
import os
from flask import Flask, session
app = Flask(__name__)
app.config.update(SECRET_KEY={GOOD!r}, SESSION_COOKIE_SECURE=True, SESSION_COOKIE_SAMESITE="Lax")
@app.get("/")
def index():
    session["seen"] = True
    return "hello"
# more
"""
DJANGO = f"""
from django.conf import settings
from django.core.wsgi import get_wsgi_application
from django.http import HttpResponse
from django.urls import path
own = dict(ALLOWED_HOSTS=["shop.example", ".shop.example"], SECRET_KEY={GOOD!r} * 3, ROOT_URLCONF=__name__,
    MIDDLEWARE=["django.middleware.security.SecurityMiddleware"], SECURE_SSL_REDIRECT=True,
    SESSION_COOKIE_SECURE=True, CSRF_COOKIE_SECURE=True, SECURE_PROXY_SSL_HEADER=("HTTP_X_FORWARDED_PROTO", "https"))
# more
settings.configure(**own)
urlpatterns = [path("", lambda request: HttpResponse("hello"))]
app = get_wsgi_application()
"""
STARLETTE = f"""
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.httpsredirect import HTTPSRedirectMiddleware
from starlette.middleware.sessions import SessionMiddleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.responses import PlainTextResponse
from starlette.routing import Route
async def index(request):
    return PlainTextResponse("hello")
layers = dict(sessions=Middleware(SessionMiddleware, secret_key={GOOD!r}, https_only=True),
    hosts=Middleware(TrustedHostMiddleware, allowed_hosts=["shop.example"]), https=Middleware(HTTPSRedirectMiddleware))
# more
app = Starlette(routes=[Route("/", index)], middleware=list(layers.values()))
"""
PYRAMID = f"""
from pyramid.config import Configurator
from pyramid.response import Response
from pyramid.session import SignedCookieSessionFactory
said = dict(secure=True, httponly=True)
wrap = lambda app: app
# more
with Configurator(session_factory=SignedCookieSessionFactory({GOOD!r}, **said)) as config:
    config.add_route("index", "/")
    config.add_view(lambda request: Response("hello"), route_name="index")
    app = wrap(config.make_wsgi_app())
"""
WELL = {"flask": FLASK, "django": DJANGO, "starlette": STARLETTE, "pyramid": PYRAMID}
TOML = 'domains = ["shop.example"]\n# more\n\n[https]\nmode = "local"\n'
WELL_AROUND = Around(
    Kernel(tasks_limit=10_000, tasks=100, tasks_source="pids.max", ports=28_000, clock=2e9, made_at=1.9e9),
    lambda names: {name: ["1.1.1.7"] for name in names}, frozenset({"1.1.1.7", "127.0.0.1"}), Path("/nowhere"),
    lambda _: (1 << 40, 1 << 20),
)  # fmt: skip


@dataclass(frozen=True)
class Fault:
    """One thing that is broken in a deployment that is well otherwise."""

    code: str
    """What the first finding is."""
    words: str
    """What it says."""
    kind: str
    app: str = ""
    """More lines of the app."""
    toml: str = ""
    """More keys outside of tables."""
    tables: str = ""
    """More tables."""
    without: tuple[str, ...] = ()
    """Parts of portico.toml that are missing."""
    files: Mapping[str, str] = field(default_factory=dict)
    also: Callable[[Path], object] = lambda _: None
    """What is done to the directory."""
    around: Mapping[str, Any] = field(default_factory=dict)
    """What is around it, in place of what is in `WELL_AROUND`."""
    port: int = 0
    """Where the site is taken to listen, though nothing is bound there."""
    etc: Mapping[str, str] = field(default_factory=dict)
    """Files of the machine's configuration."""


def checked(home: Path, kind: str, fault: Fault | None = None) -> list[Finding]:
    """What `portico check` finds of that deployment in an empty directory, on a machine as it should be."""
    app, toml = WELL[kind], f'listen = "127.0.0.1:{free_port()}"\n{TOML}'
    files: dict[str, str] = {}
    if fault:
        app = app.replace("# more\n", fault.app + "\n")
        toml = toml.replace("# more\n", fault.toml + "\n") + "\n" + fault.tables
        for part in fault.without:
            assert part in toml
            toml = toml.replace(part, "")
        files = dict(fault.files)
    toml = toml.replace('"local"\n', f'"local"\nlisten = "127.0.0.1:{free_port()}"\n')
    write_files(home / "site", {"app.py": app, "portico.toml": toml, **files})
    for path in (home / "site").rglob("*"):
        path.chmod(0o755 if path.is_dir() else 0o644)
    (home / "site").chmod(0o755)
    if fault:
        fault.also(home / "site")
        texts = {name: text.replace("%SITE%", str(home / "site")) for name, text in fault.etc.items()}
        write_files(home / "etc", texts)
    os.environ |= {"PORTICO_RUNTIME_DIR": str(home / "run"), "PORTICO_STATE_DIR": str(home / "state")}
    gathered = gather(str(home / "site"), None, {}, looks=True)
    nginx = replace(gathered.place.gateway, version=(99,))  # no fault of it is published
    place = replace(
        gathered.place, gateway=nginx, user="shop", gateway_user="", gateway_group="", exposed="",
        is_container=False,
        somaxconn=65535, file_limit=1 << 20,
    )  # fmt: skip
    if fault and fault.port:
        listen = Address("*", fault.port)
        options = replace(gathered.site.options, listen=listen)
        gathered = replace(gathered, site=replace(gathered.site, options=options))
    around = replace(WELL_AROUND, etc=home / "etc", **(fault.around if fault else {}))
    return findings(replace(gathered, place=place), surroundings=around)
