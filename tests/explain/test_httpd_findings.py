"""What an expert would say of an httpd configuration: every finding where it belongs, and none beside it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from portico.explain.finding import HARMS
from portico.explain.httpd.findings import findings
from portico.explain.httpd.read import read
from tests.support import ROOT

PROXY = "ProxyPreserveHost On\nProxyPass / http://127.0.0.1:8000/\n"
PAIRS: dict[str, tuple[str, str]] = {
    "open-proxy": ("ProxyRequests On", "ProxyRequests Off"),
    "forged-client": (
        "RemoteIPHeader X-Forwarded-For",
        "RemoteIPHeader X-Forwarded-For\nRemoteIPInternalProxy 10.0.0.1",
    ),
    "never-asked": (f"{PROXY}ProxyPass /a http://a/a", f"ProxyPass /a http://a/a\n{PROXY}"),
    "redirect-behind-proxy": (f"{PROXY}Redirect /old /new", "ProxyPass /a http://a/a\nRedirect /old /new"),
    "slash": ("ProxyPass / http://127.0.0.1:8000", "ProxyPass / unix:/run/app.sock|http://app"),
    "rewrite-off": ("RewriteRule ^/a$ - [F]", "RewriteEngine On\nRewriteRule ^/a$ - [F]"),
    "no-listen": (
        "Listen 80\n<VirtualHost *:443>\n</VirtualHost>",
        "Listen 80\nListen 443 https\n<VirtualHost *:443>\n</VirtualHost>",
    ),
    "host-lost": ("ProxyPass / http://127.0.0.1:8000/", PROXY),
    "scheme-lost": (
        f"SSLEngine on\n{PROXY}",
        f'SSLEngine on\n{PROXY}RequestHeader set X-Forwarded-Proto "https"',
    ),
    "listing": (
        "<Directory /srv>\nOptions Indexes FollowSymLinks\n</Directory>",
        "<Directory /srv>\nOptions -Indexes\n</Directory>",
    ),
    "limit": (
        "<Location /a>\n<Limit GET POST>\nRequire valid-user\n</Limit>\n</Location>",
        "<Location /a>\n<LimitExcept GET>\nRequire valid-user\n</LimitExcept>\n</Location>",
    ),
    "old-rules": (
        "<Location /a>\nOrder deny,allow\nRequire all granted\n</Location>",
        "<Location /a>\nOrder deny,allow\nAllow from all\n</Location>",
    ),
    "cache-before-doors": (
        "CacheEnable disk /\n<Location /a>\nRequire valid-user\n</Location>",
        "CacheQuickHandler off\nCacheEnable disk /\n<Location /a>\nRequire valid-user\n</Location>",
    ),
    "source": (
        "DocumentRoot /srv/shop\nWSGIScriptAlias /api /srv/shop/wsgi.py",
        "DocumentRoot /srv/shop/public\nWSGIScriptAlias /api /srv/shop/wsgi.py",
    ),
    "old-tls": ("SSLProtocol all -SSLv3", "SSLProtocol all -SSLv3 -TLSv1 -TLSv1.1"),
}


def codes(tmp_path: Path, text: str) -> set[str]:
    file = tmp_path / "httpd.conf"
    file.write_text(f"{text}\n")
    found = findings(read(file))
    assert all(one.severity in HARMS and one.line > 0 and one.harm and one.fix.how for one in found)
    return {one.code.removeprefix("httpd-") for one in found}


@pytest.mark.parametrize("code", sorted(PAIRS))
def test_a_fault_is_found_and_its_near_twin_is_not(code: str, tmp_path: Path) -> None:
    faulty, right = PAIRS[code]
    assert code in codes(tmp_path, faulty)
    assert code not in codes(tmp_path, right)
    if "VirtualHost" not in faulty:
        assert code in codes(tmp_path, f"<VirtualHost *:80>\n{faulty}\n</VirtualHost>")


def test_every_code_has_its_pair_and_is_documented() -> None:
    source = (ROOT / "src/portico/explain/httpd/findings.py").read_text()
    assert set(re.findall(r'_finding\(\s*"([a-z-]+)"', source)) == PAIRS.keys()
    text = (ROOT / "docs/explain.md").read_text()
    assert [code for code in PAIRS if f"`httpd-{code}`" not in text] == []
