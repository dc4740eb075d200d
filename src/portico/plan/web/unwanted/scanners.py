"""Paths that scanners try on every site. A Python app has them only where a rule says so, and then they are its own."""

from __future__ import annotations

from msgspec import Struct
from msgspec.structs import replace

from portico.site.pattern import escape


class Probe(Struct, frozen=True):
    """A kind of paths: a regular expression for bytes, and what scanners look for there."""

    pattern: str
    looks_for: str


PROBES = (
    Probe(
        r"/\.(?!well-known(?:/|$))",
        "hidden files and directories: .env, .git/config, .aws/credentials, .ssh/id_rsa",
    ),
    Probe(
        r"\.(?:php\d?|phtml|phar|asp|aspx|ashx|asmx|jsp|jspx|cgi|cfm)(?:/|$)",
        "programs of servers that run no Python: shells that others have left, holes of PHP apps",
    ),
    Probe(
        r"^/+(?:[^/]+/+)?(?:wp-(?:admin|content|includes|json|login|config|cron|signup)|wordpress|xmlrpc|joomla|drupal|"
        r"magento|typo3|vbulletin|phpunit|_ignition|telescope/requests)(?:[/.]|$)",
        "publishing systems and frameworks with known holes",
    ),
    Probe(
        r"^/+(?:phpmyadmin|phpmyadmin\d|pma|myadmin|mysqladmin|sqladmin|phppgadmin|adminer|dbadmin|webdav|cgi-bin|hnap1|"
        r"boaform|goform|setup\.cgi|gponform|manager/html|host-manager|jenkins|hudson|solr|actuator|jolokia|druid|nacos|"
        r"geoserver|server-status|server-info|owa|ecp|autodiscover|dana-na|global-protect|remote/(?:login|fgt_lang)|"
        r"\+cscoe\+|vpnsvc|sslvpn|_cat|_all_dbs|_search|containers/json|debug/pprof|console/login|struts2?)(?:[/.?]|$)",
        "tools of administrators, routers and other servers, left open",
    ),
    Probe(
        r"\.(?:sql|bak|swp|sqlite3?|mdb|dump|pem|pfx|p12|ppk|kdbx|tfstate)(?:\.(?:gz|zip|bz2|xz))?$",
        "backups, databases and keys that lie beside the app",
    ),
    Probe(
        r"^/+(?:[^/]+/+)?(?:composer\.(?:json|lock)|package(?:-lock)?\.json|yarn\.lock|docker-compose\.ya?ml|dockerfile|"
        r"web\.config|settings\.py|manage\.py|wsgi\.py|requirements\.txt|pipfile|id_rsa|credentials|config\.(?:ya?ml|"
        r"ini|inc|json|js)|secrets\.(?:ya?ml|json)|database\.ya?ml|parameters\.ya?ml|web-inf)(?:/|$)",
        "the app's own source, settings and secrets",
    ),
    Probe(
        r"%(?:2e|2f|5c|00|25)|\\|[/.]etc/passwd|/proc/self/",
        "ways out of the directory of a site, encoded twice",
    ),
)
"""One row a kind. Each is looked for in the decoded path, in letters of either case."""


def probes(prefix: str) -> tuple[Probe, ...]:
    """The same for a site below that prefix."""
    begin = f"^{escape(prefix)}"
    return tuple(
        replace(one, pattern=begin + one.pattern[1:]) if one.pattern.startswith("^") else one
        for one in PROBES
    )
