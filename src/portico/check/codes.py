"""Every code of a finding: what is wrong, and its harm to the site. docs/check.md lists them."""

from __future__ import annotations

from typing import Literal, NamedTuple

Harm = Literal["breaks", "hole", "loss", "slow", "hint"]
HARMS: dict[Harm, str] = {
    "breaks": "visitors get errors, or no answer",
    "hole": "somebody gets what is not theirs",
    "loss": "data, logins or work are lost",
    "slow": "it works, and waits",
    "hint": "something does not do what it says",
}
"""In the order of the output."""


class Code(NamedTuple):
    """`finds` is the problem if it is a warning or a fault."""

    harm: Harm
    finds: str


CODES = {
    "site": Code("breaks", "the site would not be planned: a bad value, or another site has its address"),
    "app": Code("breaks", "the app cannot be imported by several processes at once"),
    "gateway-files": Code("breaks", "nginx does not accept the files written for it, or an own directive"),
    "port": Code("breaks", "a port is taken (and by whom), reserved, or no address of this machine"),
    "directories": Code("breaks", "a directory of sockets or logs cannot be made, written or reached"),
    "certificate": Code("breaks", "files of `[https]` that do not fit, a domain that DNS does not know"),
    "certificate-age": Code("breaks", "a certificate that should have been renewed"),
    "certificate-issuer": Code("breaks", "a certificate whose issuer this system does not trust"),
    "hosts": Code("breaks", "`ALLOWED_HOSTS`, `TRUSTED_HOSTS` or TrustedHostMiddleware without a name of `domains`"),
    "https-redirect": Code("breaks", "the app redirects to HTTPS, which the site has not or never tells it of"),
    "scheme-value": Code("breaks", "`SECURE_PROXY_SSL_HEADER` waits for a value that never comes"),
    "prefix": Code("breaks", "the app puts another prefix (or scheme) before its links than the site has"),
    "cookie-lost": Code("breaks", "cookies that browsers do not take or send: Secure without HTTPS, domain, path"),
    "no-key": Code("breaks", "the app uses sessions and has no secret key"),
    "dns": Code("breaks", "a domain without an address, or that leads elsewhere; no IPv6 where DNS says so"),
    "tasks": Code("breaks", "the cgroup allows fewer processes and threads than the site needs"),
    "overcommit": Code("breaks", "the kernel promises less memory than the workers ask for"),
    "clock": Code("breaks", "the clock is before the day on which Portico was installed"),
    "certbot": Code("breaks", "certbot renews the certificate in a way that needs the site's ports"),
    "boot-conflict": Code("breaks", "another web server starts at boot"),
    "debugger": Code("hole", "a debugger that runs code, debug mode, a debug toolbar"),
    "secret-key": Code("hole", "a secret key from tutorials, a short or guessable one, one that git tracks"),
    "cookies": Code("hole", "cookies of sessions without Secure, HttpOnly or SameSite"),
    "app-hosts": Code("hole", "the app believes any Host, and so does the site"),
    "app-unknown": Code("hint", "the app's settings could not be read"),
    "scheme-header": Code("hole", "`SECURE_PROXY_SSL_HEADER` believes a header that clients may send"),
    "gateway-fault": Code("hole", "a published fault of the nginx in use that the site's configuration uses"),
    "app-user": Code("hole", "the app runs as root, or as nginx's user"),
    "portico-writable": Code("hole", "root runs Python or Portico from a place that others can change"),
    "open-path": Code("hole", "a path that looks protected, or has protected siblings, is open"),
    "plain-passwords": Code("hole", "passwords of `[access]` come over plain HTTP"),
    "own-locations": Code("hole", "`[access]` does not hold in locations of your own"),
    "own-directives": Code("hole", "own directives that lose headers, or hand on what a client says of itself"),
    "guesses": Code("hole", "routes that take passwords or codes, without a limit"),
    "secret-mode": Code("hole", "keys, passwords and `.env` files that any user of the machine can read"),
    "code-mode": Code("hole", "code, packages or portico.toml that any user of the machine can change"),
    "served-database": Code("hole", "a database in a folder that nginx serves"),
    "disk": Code("loss", "too little room for logs and uploads"),
    "unit-age": Code("loss", "a systemd unit that ends Portico before its requests may end"),
    "random-key": Code("loss", "a secret key that every worker and every restart makes anew"),
    "app-memory": Code("loss", "requests write into the memory of one worker; sessions or caches there"),
    "one-process": Code("loss", "an app that needs one process has several workers"),
    "jobs": Code("loss", "schedulers, timers and threads that each worker would run"),
    "source": Code("loss", "source that breaks with several workers: connections and schedulers made at import"),
    "gateway-reload": Code("loss", "this nginx closes idle connections when its configuration changes"),
    "static-unread": Code("slow", "nginx may not read a static folder, so the app serves it"),
    "static-left": Code("slow", "a static folder that the app protects, and so serves itself"),
    "static-links": Code("breaks", "links in a static folder, which nginx does not follow"),
    "static-headers": Code("hint", "headers of the app that nginx repeats with static files"),
    "pool": Code("slow", "a database pool that is smaller than the threads of a worker"),
    "own-limits": Code("slow", "own directives that end a request or refuse a body before Portico's options do"),
    "timeouts": Code("slow", "the app waits longer for its database than nginx for the app"),
    "local-ports": Code("slow", "few local ports for connections to `[upstream]`"),
    "copies": Code("slow", "static files that are compressed at each request"),
    "worker-memory": Code("slow", "`max_memory` is less than the app needs to start"),
    "backlog": Code("slow", "the kernel lets few connections wait (`somaxconn`)"),
    "open-files": Code("slow", "the limit of open files allows few connections"),
    "testing": Code("hint", "a setting for tests or development is on"),
    "www": Code("hint", "the name with (or without) www leads here, and `domains` does not have it"),
    "limit-order": Code("hint", "a limit that never refuses a request, because another one does so first"),
    "unread-settings": Code("hint", "settings in gunicorn.conf.py, uwsgi.ini or a Procfile: for another server"),
    "body-limits": Code("hint", "`max_upload` and the app's own limits of bodies in the wrong order"),
    "proxy-count": Code("hint", "ProxyFix and the like count another number of proxies than one"),
    "settings-unused": Code("hint", "a setting of the app that does nothing behind Portico"),
    "settings": Code("hint", "settings of portico.toml that do less than they say"),
    "shared-directives": Code("hint", "own directives of one site that count for all sites of the gateway"),
}  # fmt: skip
