"""Headers of every answer: of the app's unless it sets them itself, of files, of the gateway's own pages."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from msgspec import Struct

from portico.plan.web.ability import Ability
from portico.site.checks.headers import CSP, FRAME_ANCESTORS, FRAME_OPTIONS
from portico.site.model import Routed, Site

_POLICY, _POLICY_REPORTS, _FRAMES = (
    "Content-Security-Policy", "Content-Security-Policy-Report-Only", "X-Frame-Options",
)  # fmt: skip
SERVER = "Server"
"""The header with the name of the gateway's program."""
_WORDS = {"none": "DENY", "self": "SAMEORIGIN"}
"""The X-Frame-Options value for each value of `frames`. It has no list of origins."""
_MDN = "https://developer.mozilla.org/docs/Web/HTTP/Reference/Headers/"
_WHY = {
    "x-content-type-options": "an answer is what its type says, whatever its bytes look like",
    "content-security-policy": "browsers load and run only what the policy names",
    "content-security-policy-report-only": "browsers report what the policy would block",
    "x-frame-options": "who may show the site in a frame, for browsers that do not read it in the policy",
    "referrer-policy": "how much of its address a page tells other sites",
    "permissions-policy": "which devices of the visitor pages may ask for",
    "cross-origin-opener-policy": "windows of other sites have no hold on this one's",
    "cross-origin-resource-policy": "pages of other sites cannot embed what this one answers",
}
"""The purpose of each header of an option or a preset, by its name in lower case. Each has a page of MDN's."""


class Header(Struct, frozen=True):
    """One header. The app's own header with that name replaces it, unless `is_only`."""

    name: str
    value: str
    cause: str
    framed: str = ""
    """The value beside the app's X-Frame-Options, which frame-ancestors of a policy would override; the same if
    that makes no difference, empty if nothing of it remains.
    """
    is_only: bool = False
    """The app's own header with this name is removed."""

    @property
    def why(self) -> str:
        """Its purpose."""
        return _WHY.get(self.name.lower(), "a header of yours")

    @property
    def source(self) -> str:
        """Its reference page; empty for a header that only the user knows."""
        return _MDN + self.name if self.name.lower() in _WHY else ""


class Cors(Struct, frozen=True):
    """Which other origins may read the answers, unless the app sets the headers itself."""

    origins: tuple[str, ...]
    """`scheme://host:port`, where the host may begin with `*.`; empty for every origin."""
    methods: tuple[str, ...]
    headers: tuple[str, ...]
    """Of requests; empty for any."""
    expose: tuple[str, ...]
    has_credentials: bool
    max_age: int
    """Seconds that a browser may cache the answer to a preflight."""
    cause: str


class Headers(Struct, frozen=True):
    """Headers that are added to every answer, and removed from the app's."""

    every: tuple[Header, ...]
    removed: tuple[str, ...]
    """Headers of the app, by name."""
    hides_server: bool
    """The gateway does not send its program's name."""
    lacks_ability: bool
    """It should not send the name, but this build cannot omit it."""
    removed_cause: str
    cors: Cors | None
    """None: no other origin has access."""
    distinct: tuple[Header, ...]
    """Each header that some answer of the app may get: two routes may have one name with two values."""
    numbers: Mapping[tuple[str, str], int]
    """The index of each of them there, by lower-case name and value."""

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the headers that every answer has."""
        return tuple(one.name for one in self.every)

    def of(self, routed: Routed | None) -> tuple[Header, ...]:
        """The headers of a route's answers: its own over the site's, None for the site's."""
        return _of_route(self.every, self.removed, routed)


class Preset(Struct, frozen=True):
    """The meaning of a preset of [headers]; `csp` without frame-ancestors."""

    csp: str
    frames: str
    others: Mapping[str, str]
    removed: tuple[str, ...] = ("Server", "X-Powered-By")


PRESETS = {
    "off": Preset("", "", {}, ()),
    "strict": Preset(
        "default-src 'self'; img-src 'self' data:; style-src 'self' 'unsafe-inline'; object-src 'none'; "
        "base-uri 'self'; form-action 'self'",
        "self",
        {
            "X-Content-Type-Options": "nosniff",
            "Referrer-Policy": "same-origin",
            "Permissions-Policy": "camera=(), microphone=(), geolocation=(), payment=(), usb=()",
            "Cross-Origin-Opener-Policy": "same-origin",
            "Cross-Origin-Resource-Policy": "same-origin",
        },
    ),
    "api": Preset(
        "default-src 'none'",
        "none",
        {
            "X-Content-Type-Options": "nosniff",
            "Referrer-Policy": "no-referrer",
            "Cross-Origin-Resource-Policy": "same-origin",
        },
    ),
}


def headers(site: Site, abilities: frozenset[Ability]) -> Headers:
    """The headers of the site's answers."""
    wanted = site.options.headers
    removed = removed_of_app(site)
    every = _every(site, removed)
    distinct = _distinct([every, *(_of_route(every, removed, routed) for routed in site.routed)])
    hides = SERVER.lower() in map(str.lower, _removed(site))
    return Headers(
        every=every,
        removed=removed,
        hides_server=hides and Ability.CLEARS_HEADERS in abilities,
        lacks_ability=hides and Ability.CLEARS_HEADERS not in abilities,
        removed_cause=site.cause("headers.remove" if wanted.remove else "headers.preset"),
        cors=_cors(site),
        distinct=tuple(distinct.values()),
        numbers={key: number for number, key in enumerate(distinct)},
    )


def _of_route(
    every: tuple[Header, ...], removed: tuple[str, ...], routed: Routed | None
) -> tuple[Header, ...]:
    if routed is None or not routed.edge.headers:
        return every
    cause = routed.causes.get("headers", "")
    return _over(every, _made(routed.edge.headers, lambda _: cause, removed), routed.edge.headers)


def _distinct(found: Iterable[tuple[Header, ...]]) -> dict[tuple[str, str], Header]:
    made: dict[tuple[str, str], Header] = {}
    for one in (one for some in found for one in some):
        made.setdefault((one.name.lower(), one.value), one)
    return made


def removed_of_app(site: Site) -> tuple[str, ...]:
    """Headers of the app that are removed."""
    return tuple(name for name in _removed(site) if name.lower() != SERVER.lower())


def _removed(site: Site) -> tuple[str, ...]:
    wanted = site.options.headers
    found = {name.lower(): name for name in (*PRESETS[wanted.preset].removed, *wanted.remove)}
    return tuple(found.values())


def _every(site: Site, removed: tuple[str, ...]) -> tuple[Header, ...]:
    wanted = site.options.headers
    preset = PRESETS[wanted.preset]
    cause = site.cause("headers.preset")
    made = _made(preset.others, lambda _: cause, removed)
    made = _over(made, _made(_about_frames(site), lambda name: _cause_of_frames(site, name), removed), ())
    return _over(made, _made(wanted.set, lambda name: _cause_of_set(site, name), removed), wanted.set)


def _about_frames(site: Site) -> dict[str, str]:
    """The policy and X-Frame-Options, which agree about frames."""
    wanted = site.options.headers
    preset = PRESETS[wanted.preset]
    csp, frames = wanted.csp or preset.csp, wanted.frames or ([preset.frames] if preset.frames else [])
    words = _ancestors(csp)
    if words is None and frames:
        words = [f"'{word}'" if word in _WORDS else word for word in frames]
        csp = "; ".join(filter(None, (csp.rstrip("; "), f"{FRAME_ANCESTORS} {' '.join(words)}")))
    options = _WORDS.get(words[0].strip("'").lower(), "") if words and len(words) == 1 else ""
    policy = _POLICY_REPORTS if wanted.csp_report_only else _POLICY
    return {name: value for name, value in ((policy, csp), (_FRAMES, options)) if value}


def _cause_of_frames(site: Site, name: str) -> str:
    wanted = site.options.headers
    keys = (["frames"] if wanted.frames else []) if name == _FRAMES else []
    if name != _FRAMES:
        keys = [key for key in ("csp", "csp_report_only", "frames") if getattr(wanted, key)]
    return "; ".join(site.cause(f"headers.{key}") for key in keys or ["preset"])


def _cause_of_set(site: Site, name: str) -> str:
    key = f"headers.set.{name}"
    return site.cause(key if key in site.causes else "headers.set")


def _made(
    values: Mapping[str, str], cause: Callable[[str], str], removed: tuple[str, ...]
) -> tuple[Header, ...]:
    gone = {name.lower() for name in removed}
    return tuple(
        Header(name, value, cause(name), _framed(name, value, gone), is_only=name.lower() in gone)
        for name, value in values.items()
        if value
    )


def _framed(name: str, value: str, gone: set[str]) -> str:
    """The value beside the app's X-Frame-Options: browsers that get both use the policy."""
    if name.lower() != CSP or FRAME_OPTIONS in gone or _ancestors(value) is None:
        return value
    parts = [part.strip() for part in value.split(";")]
    return "; ".join(part for part in parts if part and part.split()[0].lower() != FRAME_ANCESTORS)


def _ancestors(policy: str) -> list[str] | None:
    """A policy's frame-ancestors; None if it has none."""
    for words in map(str.split, policy.split(";")):
        if words and words[0].lower() == FRAME_ANCESTORS:
            return words[1:]
    return None


def _over(below: Iterable[Header], above: Iterable[Header], said: Iterable[str]) -> tuple[Header, ...]:
    """The lower headers without those that are set again or removed (`said`)."""
    above = tuple(above)
    names = {*(one.name.lower() for one in above), *map(str.lower, said)}
    return (*(one for one in below if one.name.lower() not in names), *above)


def _cors(site: Site) -> Cors | None:
    wanted = site.options.cors
    if not wanted.origins:
        return None
    return Cors(
        origins=() if "*" in wanted.origins else tuple(wanted.origins),
        methods=tuple(wanted.methods),
        headers=() if "*" in wanted.headers else tuple(wanted.headers),
        expose=tuple(wanted.expose),
        has_credentials=wanted.credentials,
        max_age=int(wanted.max_age),
        cause=site.cause("cors.origins"),
    )
