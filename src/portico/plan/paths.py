"""Every path a plan uses, named once, from the place's two directories."""

from __future__ import annotations

import re
from dataclasses import dataclass

from portico.place.model import Place

SOCKET_PATH_LIMIT = 107
"""Bytes a unix socket's path may have on Linux (sun_path is 108 with its end), man 7 unix."""


GATEWAY = "gateway"
"""What a gateway of several sites is called, and its directories are."""
FRAGMENT = "site.conf"
"""What the gateway reads of one site among several, below `hosted_files`."""
ALIAS_TENTHS = (5, 1, 2, 2)
"""The shares of the paths at which nginx finds the app, in tenths of the requests. All lead to one socket, until a
canary gets some of the last three: 1, 2, 3, 4 or 5 tenths."""


def socket_aliases(socket: str) -> tuple[tuple[str, int], ...]:
    """Every path at which nginx finds the app, with its share; the first is the live path itself."""
    stem = socket.removesuffix(".sock")
    names = [socket, *(f"{stem}.{number}.sock" for number in range(1, len(ALIAS_TENTHS)))]
    return tuple(zip(names, ALIAS_TENTHS, strict=True))


def live_path(runtime: str, rules: str = "") -> str:
    """The path at which a gateway with these rules of who may come finds the app; without any, the plain one.

    Releases with other rules have other paths. So a gateway's worker never reaches a release whose rules it has not
    read, and one that is leaving goes on to the release that it had.
    """
    return f"{runtime}/app.{rules}.sock" if rules else f"{runtime}/app.sock"


def without_rules(text: str) -> str:
    """The text with each live path as the plain one."""
    return _RULES.sub("/app.", text)


_RULES = re.compile(r"/app\.[0-9a-f]{8}\.")


def live_flag(runtime: str) -> str:
    """Exists while a release is live."""
    return f"{runtime}/app.sock.live"


def crowd_flag(runtime: str) -> str:
    """Exists while more requests come than the app answers, and several clients wait."""
    return f"{runtime}/app.sock.crowd"


def release_socket(runtime: str, number: int) -> str:
    """The path of the release's own socket."""
    return f"{runtime}/app-{number}.sock"


def canary_aliases(socket: str, tenths: int) -> frozenset[str]:
    """The paths that together carry so many tenths, 0 to 5."""
    chosen, left = set[str](), tenths
    for path, share in reversed(socket_aliases(socket)[1:]):
        if share <= left:
            chosen.add(path)
            left -= share
    return frozenset(chosen)


def hosted_files(name: str) -> str:
    """Where a gateway of several sites keeps the files of the site of that name, beside its own configuration."""
    return f"sites/{name}"


def maintenance(runtime: str) -> str:
    """The directory that exists while the site is closed: its flag `on`, the message, who is let in."""
    return f"{runtime}/maintenance"


def mixed(runtime: str) -> str:
    """The file that exists while two releases answer, or nginx's files may still be those of the other."""
    return f"{runtime}/mixed"


def temporary(state: str) -> str:
    """The directory above those of bodies on their way, of requests and of answers; root's, where root starts nginx."""
    return f"{state}/bodies"


def pause(runtime: str) -> str:
    """The directory that exists during `portico pause`: its flag `on`, and what the workers answer."""
    return f"{runtime}/pause"


def trace(runtime: str) -> str:
    """The directory in which each `portico trace` makes one of its own: a user who may do that may trace."""
    return f"{runtime}/trace"


def leaving(runtime: str) -> str:
    """The directory that names workers of nginx's which are about to be ended; it is there only then."""
    return f"{runtime}/leaving"


def slow(runtime: str) -> str:
    """The directory in which the workers tell of requests that run for long."""
    return f"{runtime}/slow"


def workers(runtime: str) -> str:
    """The directory in which each worker tells that it has loaded the app, and with which code."""
    return f"{runtime}/workers"


def control(runtime: str) -> str:
    """The socket at which a running site takes questions and orders."""
    return f"{runtime}/control.sock"


def metrics_socket(runtime: str) -> str:
    """Where Portico answers what Prometheus asks nginx."""
    return f"{runtime}/metrics.sock"


def dashboard_socket(runtime: str) -> str:
    """Where it answers what browsers ask nginx's server for the dashboard."""
    return f"{runtime}/dashboard.sock"


def made_password(state: str) -> str:
    """The password that Portico makes for the dashboard and the metrics where the site names none."""
    return f"{state}/look.password"


def purge(runtime: str) -> str:
    """The one that an app of another user is given: it purges, and nothing else."""
    return f"{runtime}/purge.sock"


def of_app(state: str) -> str:
    """Beside what is nginx's: the directory of an app that another user runs."""
    return f"{state}.app"


USERS = re.compile(r"users-\d+")
"""What the files of users are called that nginx reads."""


def users_file(number: int) -> str:
    """The file of the users of one rule, below the configuration directory."""
    return f"users-{number}"


@dataclass(frozen=True)
class Paths:
    """`runtime` holds sockets and configuration, `state` what grows: logs and temporary files.

    `precompressed` holds the compressed copies of static files, and has no link on the way.
    """

    runtime: str
    state: str
    precompressed: str
    app: str
    """What the app's processes write, where only they may; `state` where nobody else runs them."""

    @classmethod
    def of(cls, place: Place) -> Paths:
        app = of_app(place.state) if place.app_user else place.state
        return cls(place.runtime, place.state, f"{place.real_state or place.state}/static", app)

    @property
    def conf(self) -> str:
        """The symlink to the configuration in force."""
        return f"{self.runtime}/conf"

    @property
    def error_pages(self) -> str:
        return f"{self.conf}/errors"

    def longest_socket(self, rules: str) -> str:
        """The longest socket path that a release with these rules may need."""
        paths = [path for path, _ in socket_aliases(live_path(self.runtime, rules))]
        return max(release_socket(self.runtime, 99999), *paths, key=len)

    @property
    def live(self) -> str:
        """The flag file that tells a full queue from an app that is down."""
        return live_flag(self.runtime)

    @property
    def crowd(self) -> str:
        """The flag file by which clients get fair shares of the app."""
        return crowd_flag(self.runtime)

    @property
    def booting(self) -> str:
        return f"{self.runtime}/booting"

    @property
    def maintenance(self) -> str:
        """The directory that exists while the site is closed."""
        return maintenance(self.runtime)

    @property
    def mixed(self) -> str:
        """The file that exists while two releases answer, or nginx's files may still be those of the other."""
        return mixed(self.runtime)

    @property
    def pid(self) -> str:
        return f"{self.runtime}/nginx.pid"

    @property
    def temporary(self) -> str:
        return temporary(self.state)

    @property
    def uploads(self) -> str:
        """Uploads as files, where the app may not read those of nginx: beside what is nginx's, for the app alone."""
        return f"{self.state}.uploads"

    @property
    def cache(self) -> str:
        """The answers that nginx keeps."""
        return f"{self.state}/cache"

    @property
    def challenges(self) -> str:
        """What certificate authorities ask for, served by nginx over plain HTTP."""
        return f"{self.state}/challenges"

    @property
    def certificates(self) -> str:
        """Keys, certificates, and what is remembered of them: nobody else's to read."""
        return f"{self.state}/certificates"

    @property
    def access_log(self) -> str:
        return f"{self.state}/access.log"

    @property
    def app_log(self) -> str:
        """What the app wrote, each entry with the id of its request."""
        return f"{self.app}/app.log"

    @property
    def waf_log(self) -> str:
        """What the firewall found."""
        return f"{self.state}/waf.log"

    @property
    def error_log(self) -> str:
        return f"{self.state}/error.log"
