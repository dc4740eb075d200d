"""Every path of a plan, named once, from the place's two directories."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable

from msgspec import Struct

from portico.place.model import Place

SOCKET_PATH_LIMIT = 107
"""The longest path of a unix socket on Linux in bytes (sun_path is 108 with its end), man 7 unix."""


GATEWAY = "gateway"
"""The name of a shared gateway and its directories."""
FRAGMENT = "site.conf"
"""The gateway's file of one site, below `hosted_files`."""
ALIAS_TENTHS = (5, 1, 2, 2)
"""The shares of the paths at which nginx finds the app, in tenths of the requests. All lead to one socket, until a
canary gets some of the last three: 1, 2, 3, 4 or 5 tenths.
"""


def socket_aliases(socket: str) -> tuple[tuple[str, int], ...]:
    """Every path at which nginx finds the app, with its share; the first is the live path itself."""
    stem = socket.removesuffix(".sock")
    names = [socket, *(f"{stem}.{number}.sock" for number in range(1, len(ALIAS_TENTHS)))]
    return tuple(zip(names, ALIAS_TENTHS, strict=True))


def live_path(runtime: str, rules: str = "") -> str:
    """The path at which a gateway with these access rules finds the app; the plain one without any.

    Releases with other rules have other paths. So a gateway's worker never reaches a release whose rules it has not
    read, and one that is leaving goes on to the release that it had.
    """
    return f"{runtime}/app.{rules}.sock" if rules else f"{runtime}/app.sock"


def routed_sockets(runtime: str) -> str:
    """The gateway's directory of sockets at which its sites reach each other."""
    return f"{runtime}/routes"


def routed_socket(place: Place, front: str, name: str) -> str:
    """The socket at which the site `front` reaches the site `name`: one for each pair, so that nobody else does."""
    return f"{routed_sockets(place.host_runtime or place.runtime)}/{name[:10]}-{_digest(front, name)}.sock"


def mirror_socket(place: Place, name: str) -> str:
    """The socket at which the gateway itself takes the copies of a site's requests."""
    digest = _digest(name, "mirror")
    return f"{routed_sockets(place.host_runtime or place.runtime)}/-copies-{digest}.sock"  # no site's name begins so


def _digest(one: str, other: str) -> str:
    """96 bits: who chooses the name of a site finds no other pair of names with this one's."""
    return hashlib.sha256(f"{one}+{other}".encode()).hexdigest()[:24]


def without_rules(text: str) -> str:
    """The text with each live path as the plain one, and an address of httpd's log without the time of its routes."""
    return _RULES.sub(r"\1\2", text)


_RULES = re.compile(r"(/app\.)[0-9a-f]{8}\.|(//app\d)-\w+$")
_NUMBER = re.compile(r"\.(\d)\.sock$")


def member_name(socket: str) -> str:
    """httpd's name for the app at one of the paths: of a server at a unix socket it logs nothing else."""
    found = _NUMBER.search(socket)
    return f"app{found[1] if found else 0}"


def logged_addresses(sockets: Iterable[str]) -> frozenset[str]:
    """The app's addresses in the log, `without_rules`: nginx names the path, httpd the protocol and its own name."""
    named = [(f"unix:{path}", member_name(path)) for path in sockets]
    return frozenset(one for path, name in named for one in (path, f"uwsgi://{name}", f"http://{name}"))


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
    """The paths that together have so many tenths, 0 to 5."""
    chosen, left = set[str](), tenths
    for path, share in reversed(socket_aliases(socket)[1:]):
        if share <= left:
            chosen.add(path)
            left -= share
    return frozenset(chosen)


def hosted_files(name: str) -> str:
    """A shared gateway's directory for the files of the site with that name."""
    return f"sites/{name}"


def maintenance(runtime: str) -> str:
    """The directory that exists during maintenance: its flag `on`, the message, the admitted addresses."""
    return f"{runtime}/maintenance"


def mixed(runtime: str) -> str:
    """It exists while two releases answer, or while nginx may still have the other's files."""
    return f"{runtime}/mixed"


def challenge(runtime: str) -> str:
    """The directory of the challenge: the flag `on` while passes are asked for, and the `seed` of its puzzles."""
    return f"{runtime}/challenge"


def temporary(state: str) -> str:
    """The parent of the directories of temporary bodies, of requests and answers; root owns it if root starts nginx."""
    return f"{state}/bodies"


def banned(runtime: str) -> str:
    """The directory that has a file for each client that is refused everything for a while."""
    return f"{runtime}/banned"


def forged(runtime: str) -> str:
    """The directory with a file for each client that uses the name of a crawler, and is none by DNS."""
    return f"{runtime}/forged"


def bans(state: str) -> str:
    """The list of those clients, which outlives a restart."""
    return f"{state}/bans.json"


def guessing(runtime: str) -> str:
    """The directory that has a file for each client that has guessed passwords, and may name none for a while."""
    return f"{runtime}/guessing"


def guesses(state: str) -> str:
    """The list of those clients, which outlives a restart."""
    return f"{state}/guesses.json"


def pause(runtime: str) -> str:
    """The directory that exists during `portico pause`: its flag `on`, and the workers' answers."""
    return f"{runtime}/pause"


def trace(runtime: str) -> str:
    """The parent of each `portico trace`'s own directory: a user who may create one may trace."""
    return f"{runtime}/trace"


def leaving(runtime: str) -> str:
    """The directory that names nginx's workers that are about to be ended; it exists only then."""
    return f"{runtime}/leaving"


def slow(runtime: str) -> str:
    """The directory in which the workers report slow requests."""
    return f"{runtime}/slow"


def workers(runtime: str) -> str:
    """The directory in which each worker reports that it has loaded the app, and which code."""
    return f"{runtime}/workers"


def control(runtime: str) -> str:
    """The control socket of a running site."""
    return f"{runtime}/control.sock"


def metrics_socket(runtime: str) -> str:
    """Where Portico answers requests of Prometheus to nginx."""
    return f"{runtime}/metrics.sock"


def dashboard_socket(runtime: str) -> str:
    """Where Portico answers requests of browsers to nginx's server for the dashboard."""
    return f"{runtime}/dashboard.sock"


def made_password(state: str) -> str:
    """The password that Portico makes for the dashboard and the metrics if the site names none."""
    return f"{state}/look.password"


def purge(runtime: str) -> str:
    """The control socket for an app of another user: it can purge, and nothing else."""
    return f"{runtime}/purge.sock"


def of_app(state: str) -> str:
    """The directory of an app that another user runs, beside those of nginx."""
    return f"{state}.app"


USERS = re.compile(r"users-\d+")
"""The prefix of the names of nginx's user files."""


def users_file(number: int) -> str:
    """The file of users of one access rule, below the configuration directory."""
    return f"users-{number}"


class Paths(Struct, frozen=True):
    """`runtime` contains sockets and configuration, `state` what grows: logs and temporary files.

    `precompressed` contains the compressed copies of static files; its path contains no link.
    """

    runtime: str
    state: str
    precompressed: str
    app: str
    """The directory that only the app's processes write to; `state` if no other user runs them."""

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
        """The flag file that turns fair shares on."""
        return crowd_flag(self.runtime)

    @property
    def challenge(self) -> str:
        """The directory with what the gateway must know of the challenge: its flag `on`, the puzzle of the moment."""
        return challenge(self.runtime)

    @property
    def challenge_socket(self) -> str:
        """Where Portico takes the solutions of puzzles."""
        return f"{self.runtime}/challenge.sock"

    @property
    def challenge_keys(self) -> str:
        """What passes are signed with: nobody else's to read."""
        return f"{self.state}/challenge.keys"

    @property
    def booting(self) -> str:
        return f"{self.runtime}/booting"

    @property
    def maintenance(self) -> str:
        """The directory that exists during maintenance."""
        return maintenance(self.runtime)

    @property
    def forged(self) -> str:
        """The directory with a file for each client that uses the name of a crawler, and is none by DNS."""
        return forged(self.runtime)

    @property
    def banned(self) -> str:
        """The directory that has a file for each client that is refused everything for a while."""
        return banned(self.runtime)

    @property
    def guessing(self) -> str:
        """Clients that have guessed passwords, a file each."""
        return guessing(self.runtime)

    @property
    def mixed(self) -> str:
        """It exists while two releases answer, or while nginx may still have the other's files."""
        return mixed(self.runtime)

    @property
    def temporary(self) -> str:
        return temporary(self.state)

    @property
    def uploads(self) -> str:
        """Uploads as files, for an app that may not read nginx's own: only the app can read them."""
        return f"{self.state}.uploads"

    @property
    def cache(self) -> str:
        """nginx's cache."""
        return f"{self.state}/cache"

    @property
    def challenges(self) -> str:
        """The ACME challenges, which nginx serves over plain HTTP."""
        return f"{self.state}/challenges"

    @property
    def certificates(self) -> str:
        """Keys, certificates and their history; no other user can read them."""
        return f"{self.state}/certificates"

    @property
    def access_log(self) -> str:
        return f"{self.state}/access.log"

    @property
    def app_log(self) -> str:
        """The app's output, each entry with its request ID."""
        return f"{self.app}/app.log"

    @property
    def waf_log(self) -> str:
        """The firewall's findings."""
        return f"{self.state}/waf.log"

    @property
    def error_log(self) -> str:
        return f"{self.state}/error.log"
