"""The tables of [access]."""

from __future__ import annotations

from typing import Annotated

from portico.site.options.section import Section, option


class Access(Section, frozen=True):
    """Who has access to a path and everything below it; nginx decides, the app is not asked.

    A key that an inner table does not set is taken from the outer one. A request must meet every condition.
    """

    allow: Annotated[
        list[str] | None,
        option(
            "Networks that may come; everybody else is refused with 403. Each entry is an address, a network, or a "
            "file of them, one a line, which is read again at a reload.",
            example=["10.0.0.0/8", "2001:db8::/32", "office.networks"],
            source="https://nginx.org/en/docs/http/ngx_http_geo_module.html",
        ),
    ] = None
    deny: Annotated[
        list[str] | None,
        option(
            "Networks that are refused with 403, whatever `allow` says; entries as there.",
            example=["192.0.2.0/24", "blocked.networks"],
        ),
    ] = None
    methods: Annotated[
        list[str] | None,
        option(
            "The methods that are taken; any other is refused with 405 and an Allow header. GET includes HEAD.",
            example=["GET", "POST"],
        ),
    ] = None
    users: Annotated[
        str | None,
        option(
            "File of users with passwords, a `name:hash` a line as `portico password` writes it: browsers ask for both "
            "(401, Basic). Each request costs nginx 1 to 2 ms of CPU. It is read again at a reload.",
            example="/etc/portico/staff.users",
            source="https://nginx.org/en/docs/http/ngx_http_auth_basic_module.html",
            is_read=True,
        ),
    ] = None
    certificate: Annotated[
        bool | None,
        option(
            "Only clients with a certificate that an authority of `https.client_ca` signed; everybody else is refused "
            'with 403. Needs `https.client_verify = "optional"` where other paths are open.',
            example=True,
            source="https://nginx.org/en/docs/http/ngx_http_ssl_module.html#var_ssl_client_verify",
        ),
    ] = None
    auth: Annotated[
        str | None,
        option(
            "Who decides whether a client may come: the address of a service (oauth2-proxy, Authelia), a path of the "
            "app, or the endpoint of a view. nginx asks it with the head of each request; 2xx is yes, 401 and 403 are "
            "no, a redirect counts as 401, anything else is 500.",
            example="http://127.0.0.1:4180/oauth2/auth",
            source="https://nginx.org/en/docs/http/ngx_http_auth_request_module.html",
        ),
    ] = None
    sign_in: Annotated[
        str | None,
        option(
            "With `auth`: where browsers are sent that are not signed in; programs get 401. To one that ends with `=`, "
            "the address that was asked for is added.",
            example="/login?next=",
        ),
    ] = None
    auth_headers: Annotated[
        list[str] | None,
        option(
            "With `auth`: headers of its answer that the app is given; what clients send under these names never "
            "arrives. Default: Remote-User, -Groups, -Name, -Email and X-Auth-Request-User, -Email, -Groups, "
            "-Preferred-Username.",
            example=["Remote-User", "Remote-Groups"],
        ),
    ] = None
    internal: Annotated[
        bool | None,
        option(
            "Nobody comes here from outside but the networks of an `allow` in the same place: 404, as if there were "
            "nothing. Questions of nginx's own (`auth`) do.",
            example=True,
        ),
    ] = None
    anybody: Annotated[
        bool | None,
        option("Nothing that an outer table says holds here.", example=True),
    ] = None
