"""The files of a site that hold secrets, as its options name them."""

from __future__ import annotations

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
    }
    said |= {site.path(path): "the variables of the app" for path in site.options.env_file}
    return {path: what for path, what in said.items() if path}


def user_files(site: Site) -> dict[str, str]:
    """The same for the files of `users`: names, and hashes of passwords."""
    options = [*site.options.access.values(), *(one.edge for one in site.routed)]
    return {
        site.path(one.users): "the users and the hashes of their passwords" for one in options if one.users
    }
