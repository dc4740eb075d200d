"""The tables of [access]."""

from __future__ import annotations

from typing import Annotated

from portico.site.options.section import Section, option


class Access(Section, frozen=True):
    """Who has access to a path and everything below it; the gateway decides, the app is not asked.

    A key that an inner table does not set is taken from the outer one. A request must meet every condition.
    """

    allow: Annotated[
        list[str] | None,
        option(
            "Networks that have access; all others are refused with 403. Each entry is an address, a network, or "
            "a file of them, one a line, which is read again at a reload.",
            example=["10.0.0.0/8", "2001:db8::/32", "office.networks"],
            source="https://nginx.org/en/docs/http/ngx_http_geo_module.html",
        ),
    ] = None
    deny: Annotated[
        list[str] | None,
        option(
            "Networks that are refused with 403, even if `allow` names them; same entries.",
            example=["192.0.2.0/24", "blocked.networks"],
        ),
    ] = None
    methods: Annotated[
        list[str] | None,
        option(
            "The methods that are accepted; all others are refused with 405 and an Allow header. GET includes HEAD.",
            example=["GET", "POST"],
        ),
    ] = None
    users: Annotated[
        str | None,
        option(
            "File of users and passwords, `name:hash` on each line as `portico password` writes it: browsers ask "
            "for both (401, Basic). Each request costs the gateway 1 to 2 ms of CPU. The file is read again at a "
            "reload.",
            example="/etc/portico/staff.users",
            source="https://nginx.org/en/docs/http/ngx_http_auth_basic_module.html",
            is_read=True,
        ),
    ] = None
    certificate: Annotated[
        bool | None,
        option(
            "Only clients with a certificate that an authority of `https.client_ca` signed; all others are "
            'refused with 403. Needs `https.client_verify = "optional"` if other paths are open.',
            example=True,
            source="https://nginx.org/en/docs/http/ngx_http_ssl_module.html#var_ssl_client_verify",
        ),
    ] = None
    auth: Annotated[
        str | None,
        option(
            "Where the gateway asks whether a client has access: the URL of a service (oauth2-proxy, Authelia), a path "
            "of the app, or the endpoint of a view. The gateway sends it the head of each request; 2xx grants access, "
            "401 and 403 refuse it, a redirect counts as 401, anything else is 500.",
            example="http://127.0.0.1:4180/oauth2/auth",
            source="https://nginx.org/en/docs/http/ngx_http_auth_request_module.html",
        ),
    ] = None
    sign_in: Annotated[
        str | None,
        option(
            "With `auth`: the sign-in page that browsers are redirected to; programs get 401. If it ends with "
            "`=`, the requested URL is appended.",
            example="/login?next=",
        ),
    ] = None
    auth_headers: Annotated[
        list[str] | None,
        option(
            "With `auth`: headers of its answer that the app gets; the same headers from clients are removed. "
            "Default: Remote-User, -Groups, -Name, -Email and X-Auth-Request-User, -Email, -Groups, "
            "-Preferred-Username.",
            example=["Remote-User", "Remote-Groups"],
        ),
    ] = None
    internal: Annotated[
        bool | None,
        option(
            "Only the networks of an `allow` in the same table have access from outside; all others get 404, as "
            "if the path did not exist. The gateway's own `auth` requests pass.",
            example=True,
        ),
    ] = None
    anybody: Annotated[
        bool | None,
        option("No setting of an outer table applies here.", example=True),
    ] = None
