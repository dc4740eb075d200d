"""Published security advisories about nginx, as data. `holes` judges builds and configurations by them.

Unknown facts of an advisory are empty, and an empty field always means "affected". Sources: nginx's own list, the
CVE records of F5, Debian's changelog.
"""

from __future__ import annotations

from portico.plan.gateway.faults import Advisory, Severity, Version

AS_OF = "2026-11-28"
"""The day on which these facts were collected; newer advisories are missing."""
LIST = "https://nginx.org/en/security_advisories.html"


_HTTP2 = ("http2 on", "listen http2")
_HTTP3 = ("listen quic",)
_MAIL = ("mail",)
_STREAM = ("stream",)
_MP4 = ("mp4",)
_NO_HTTP2 = "[https] http2"
_NOVEMBER: tuple[Version, ...] = ((1, 31, 9), (1, 30, 7))
_OCTOBER: tuple[Version, ...] = ((1, 31, 7), (1, 30, 6))
_JULY: tuple[Version, ...] = ((1, 31, 3), (1, 30, 4))
_MAY: tuple[Version, ...] = ((1, 31, 0), (1, 30, 1))
_MARCH: tuple[Version, ...] = ((1, 29, 7), (1, 28, 3))
_QUIC_2024: tuple[Version, ...] = ((1, 27, 0), (1, 26, 1))
_U5, _U7, _U9 = (f"1.22.1-9+deb12u{number}" for number in (5, 7, 9))
_U10, _U11 = (f"1.22.1-9+deb12u{number}" for number in (10, 11))
_CVE = "https://www.cve.org/CVERecord?id="


def _of(
    id: str,  # noqa: A002  the field's own word
    about: str,
    severity: Severity,
    since: Version,
    fixed: tuple[Version, ...],
    needs: tuple[str, ...],
    date: str,
    debian: str = "",
    mends: str = "",
) -> Advisory:
    source = LIST if date < "2026-08" else f"{_CVE}{id}"
    return Advisory(id, about, severity, since, fixed, needs, debian, mends, date, source)


ADVISORIES = (
    _of("CVE-2026-123007", "memory corruption through HTTP/2's flow control", "major", (1, 9, 5), _NOVEMBER, _HTTP2,
        "2026-11-18", _U11, _NO_HTTP2),
    _of("CVE-2026-118899", "a worker hangs while it reads a request body over TLS 1.3", "major", (1, 13, 0), _NOVEMBER,
        ("listen ssl",), "2026-11-18", _U11),
    _of("CVE-2026-113425", "use after free in the mail proxy", "major", (0, 5, 33), _NOVEMBER, _MAIL,
        "2026-11-18", _U11),
    _of("CVE-2026-121810", "use after free in HTTP/3 when connections run out", "medium", (1, 25, 0), _NOVEMBER, _HTTP3,
        "2026-11-18"),
    _of("CVE-2026-123633", "use after free in HTTP/2 when connections run out", "medium", (1, 19, 7), _NOVEMBER, _HTTP2,
        "2026-11-18", _U11, _NO_HTTP2),
    _of("CVE-2026-123634", "use after free in the resolver", "medium", (0, 6, 18), _NOVEMBER, ("resolver",),
        "2026-11-18", _U11),
    _of("CVE-2026-120967", "client certificates can be bypassed in the stream module", "medium", (), _NOVEMBER, _STREAM,
        "2026-11-18"),
    _of("CVE-2026-125283", "buffer overflow where alias and try_files meet", "low", (0, 9, 6), _NOVEMBER,
        ("alias + try_files",), "2026-11-18", _U11),
    _of("CVE-2026-123640", "too little validation in stream's ssl_preread", "low", (), _NOVEMBER, ("ssl_preread",),
        "2026-11-18", _U11),
    # Captures of a map are one trigger; the other is "a non-cacheable variable under certain conditions".
    _of("CVE-2026-93479", "buffer overflow in strings with variables", "medium", (1, 30, 0), _OCTOBER, (),
        "2026-10-14", _U11),
    _of("CVE-2026-15176", "buffer overflow where alias and rewrite meet", "medium", (0, 1, 29), _OCTOBER,
        ("alias + rewrite",), "2026-10-14", _U11),
    _of("CVE-2026-95101", "data can be put into a request's body over HTTP/3", "medium", (1, 25, 0), _OCTOBER, _HTTP3,
        "2026-10-14"),
    _of("CVE-2026-97205", "use after free in SSI with asynchronous files", "medium", (), _OCTOBER,
        ("ssi on + aio threads", "ssi on + aio on"), "2026-10-14", _U11),
    _of("CVE-2026-97629", "TLS sessions can be forged when ticket keys change", "medium", (), _OCTOBER,
        ("ssl_session_ticket_key", "ssl_session_tickets on"), "2026-10-14"),
    # Besides captures of a map, a non-cacheable variable again, which the configuration does not reveal.
    _of("CVE-2026-42533", "buffer overflow in strings with captures of a map", "major", (0, 9, 6), _JULY, (),
        "2026-07-15", _U10),
    _of("CVE-2026-60005", "memory disclosure with slice or a cache's background update", "medium", (1, 15, 8), _JULY,
        ("slice", "proxy_cache_background_update on", "uwsgi_cache_background_update on",
         "fastcgi_cache_background_update on", "scgi_cache_background_update on"), "2026-07-15", _U10),
    _of("CVE-2026-56434", "use after free in SSI", "medium", (0, 8, 11), _JULY, ("ssi on",), "2026-07-15", _U10),
    _of("CVE-2026-42530", "use after free in HTTP/3", "major", (1, 31, 0), ((1, 31, 2),), _HTTP3, "2026-06-17"),
    _of("CVE-2026-42055", "buffer overflow towards HTTP/2 and gRPC servers", "medium", (1, 13, 10),
        ((1, 31, 2), (1, 30, 3)), ("grpc_pass", "proxy_http_version 2"), "2026-06-17", _U9),
    _of("CVE-2026-48142", "buffer overread in the charset module", "low", (0, 3, 50), ((1, 31, 2), (1, 30, 3)),
        ("charset_map",), "2026-06-17", _U9),
    _of("CVE-2026-9256", "buffer overflow in rewrite with overlapping captures", "medium", (0, 1, 17),
        ((1, 31, 1), (1, 30, 2)), ("rewrite", "$captures"), "2026-05-22", "1.22.1-9+deb12u8"),
    _of("CVE-2026-42926", "data can be put into requests to HTTP/2 servers", "medium", (1, 29, 4), _MAY,
        ("proxy_http_version 2",), "2026-05-13"),
    _of("CVE-2026-42945", "buffer overflow in the rewrite module", "medium", (0, 6, 27), _MAY, ("rewrite", "$captures"),
        "2026-05-13", _U7),
    _of("CVE-2026-42946", "buffer overread in answers of uwsgi and SCGI servers", "medium", (0, 8, 42), _MAY,
        ("uwsgi_pass", "scgi_pass"), "2026-05-13", "1.22.1-9+deb12u8"),
    _of("CVE-2026-42934", "buffer overread in the charset module", "low", (0, 3, 50), _MAY, ("charset", "charset_map"),
        "2026-05-13", _U7),
    _of("CVE-2026-40460", "the client's address can be forged over HTTP/3", "medium", (1, 25, 0), _MAY, _HTTP3,
        "2026-05-13"),
    _of("CVE-2026-40701", "use after free in the resolver of OCSP", "medium", (1, 19, 0), _MAY,
        ("ssl_ocsp on", "ssl_ocsp leaf"), "2026-05-13", _U7),
    _of("CVE-2026-27654", "buffer overflow in the dav module", "medium", (0, 5, 13), _MARCH, ("dav_methods",),
        "2026-03-24", _U5),
    _of("CVE-2026-27784", "buffer overflow in the mp4 module", "medium", (1, 1, 19), _MARCH, _MP4, "2026-03-24", _U5),
    _of("CVE-2026-32647", "buffer overflow in the mp4 module", "medium", (1, 1, 19), _MARCH, _MP4, "2026-03-24", _U5),
    _of("CVE-2026-27651", "null pointer in the mail proxy", "low", (0, 5, 15), _MARCH, _MAIL, "2026-03-24", _U5),
    _of("CVE-2026-28753", "injection into the mail proxy's requests", "medium", (0, 6, 27), _MARCH, _MAIL,
        "2026-03-24", _U5),
    _of("CVE-2026-28755", "OCSP can be bypassed in the stream module", "medium", (1, 27, 2), _MARCH, _STREAM,
        "2026-03-24", _U5),
    _of("CVE-2026-1642", "plain text can be put into answers of servers spoken to by TLS", "medium", (1, 3, 0),
        ((1, 29, 5), (1, 28, 2)), ("proxy_pass https://*", "uwsgi_pass suwsgi://*", "grpc_pass grpcs://*"),
        "2026-02-04", "1.22.1-9+deb12u4"),
    _of("CVE-2025-53859", "buffer overread in the mail proxy", "low", (0, 7, 22), ((1, 29, 1),), _MAIL, "2025-08-13",
        "1.22.1-9+deb12u3"),
    _of("CVE-2025-23419", "TLS sessions of one server count at another, without its client certificates", "medium",
        (1, 11, 4), ((1, 27, 4), (1, 26, 3)), ("ssl_verify_client on", "ssl_verify_client optional"), "2025-02-05",
        "1.22.1-9+deb12u1"),
    _of("CVE-2024-7347", "buffer overread in the mp4 module", "low", (1, 5, 13), ((1, 27, 1), (1, 26, 2)), _MP4,
        "2024-08-14", "1.22.1-9+deb12u2"),
    _of("CVE-2024-32760", "buffer overwrite in HTTP/3", "medium", (1, 25, 0), _QUIC_2024, _HTTP3, "2024-05-29"),
    _of("CVE-2024-31079", "stack overflow in HTTP/3", "medium", (1, 25, 0), _QUIC_2024, _HTTP3, "2024-05-29"),
    _of("CVE-2024-35200", "null pointer in HTTP/3", "medium", (1, 25, 0), _QUIC_2024, _HTTP3, "2024-05-29"),
    _of("CVE-2024-34161", "memory disclosure in HTTP/3", "medium", (1, 25, 0), _QUIC_2024, _HTTP3, "2024-05-29"),
    _of("CVE-2024-24989", "null pointer in HTTP/3", "major", (1, 25, 3), ((1, 25, 4),), _HTTP3, "2024-02-14"),
    _of("CVE-2024-24990", "use after free in HTTP/3", "major", (1, 25, 0), ((1, 25, 4),), _HTTP3, "2024-02-14"),
    # Not on nginx's list: its limit of requests for each connection bounds the damage, and 1.25.3 detects it.
    _of("CVE-2023-44487", "HTTP/2 streams that are opened and reset at once cost much", "low", (1, 9, 5),
        ((1, 25, 3),), _HTTP2, "2023-10-10", _U11, _NO_HTTP2),
    _of("CVE-2022-41741", "memory corruption in the mp4 module", "medium", (1, 1, 3), ((1, 23, 2), (1, 22, 1)), _MP4,
        "2022-10-19"),
    _of("CVE-2022-41742", "memory disclosure in the mp4 module", "medium", (1, 1, 3), ((1, 23, 2), (1, 22, 1)), _MP4,
        "2022-10-19"),
    _of("CVE-2021-23017", "one byte is overwritten by the resolver", "medium", (0, 6, 18), ((1, 21, 0), (1, 20, 1)),
        ("resolver",), "2021-05-25"),
)  # fmt: skip
