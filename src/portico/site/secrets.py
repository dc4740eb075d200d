"""The files of a site that hold secrets, as its options name them."""

from __future__ import annotations

from portico.reading import doubt
from portico.site.model import Site


def secret_files(site: Site) -> dict[str, str]:
    """What each is, by its absolute path."""
    https = site.https_files
    said = {
        https.get("key", ""): "the key of the certificate",
        https.get("eab_hmac_file", ""): "the key of the account at the certificate authority",
        https.get("dns_credentials", ""): "the credentials that change DNS",
        site.password_file: "the password of the dashboard",
        site.metrics_password_file: "the password of the metrics",
        site.path(site.options.tracing.headers_file): "the headers for the collector of spans",
    }
    said |= {site.path(path): "the variables of the app" for path in site.options.env_file}
    return {path: what for path, what in said.items() if path}


def credentials(site: Site) -> dict[str, str]:
    """Those that only Portico reads: absolute paths, by their option. The key of a certificate is not among them: the
    gateway reads it, and a renewal replaces it."""
    https = site.https_files
    found = {
        "dashboard.password_file": site.password_file,
        "metrics.password_file": site.metrics_password_file,
        "tracing.headers_file": site.path(site.options.tracing.headers_file),
        "https.eab_hmac_file": https.get("eab_hmac_file", ""),
        "https.dns_credentials": https.get("dns_credentials", ""),
    }
    return {option: path for option, path in found.items() if path}


def for_systemd(site: Site) -> dict[str, str]:
    """Those that systemd may read as root at each start, because root alone can change them and the way to them: any
    other could be a link to a file of root's by then.
    """
    return {option: path for option, path in credentials(site).items() if not doubt(path)}


def user_files(site: Site) -> dict[str, str]:
    """The same for the files of `users`: names, and hashes of passwords."""
    options = [*site.options.access.values(), *(one.edge for one in site.routed)]
    return {
        site.path(one.users): "the users and the hashes of their passwords" for one in options if one.users
    }
