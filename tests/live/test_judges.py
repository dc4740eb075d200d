"""Debian's testssl.sh has nothing to say against how HTTPS is spoken. `make certificates` asks sslyze, too."""

from __future__ import annotations

import pytest

from tests.live.judges import by_testssl, certified


@pytest.mark.timeout(600)
def test_testssl_says_ok_to_protocols_and_server_defaults() -> None:
    with certified("embedded") as (port, root):
        found, worse = by_testssl(port, root)
    assert worse == []
    assert found["cert_chain_of_trust"] == "passed."
    assert found["ALPN_HTTP2"] == "h2"
    assert {found[name] for name in ("SSLv2", "SSLv3", "TLS1", "TLS1_1")} == {"not offered"}
