"""HTTPS for each of several sites on one gateway: certificates of their own, put in without harm to the others."""

from __future__ import annotations

import ssl
from collections.abc import Iterator

import pytest

from tests.acme import authority
from tests.live.test_sites import Gateway, site
from tests.live.tls import handshake, settled
from tests.support import end, free_port, private_directory, start, until_ready, write_files
from tests.support.until import until

pytestmark = pytest.mark.timeout(600)


@pytest.fixture(scope="module", params=["embedded", "system", "apache"])
def gateway(request: pytest.FixtureRequest, _needs_nginx: None) -> Iterator[tuple[Gateway, int]]:
    """Two sites that an authority certifies, and one whose app cannot be imported."""
    with authority() as ca, private_directory() as home:
        for name in ("shop", "blog"):
            write_files(home, site(name))
        write_files(home, site("broken", "import nothing_of_that_name"))
        secure = free_port()
        chosen = ["--gateway", "apache"] if request.param == "apache" else ["--nginx", request.param]
        words = [*ca.options(), "--https-listen", f"127.0.0.1:{secure}", *chosen]
        run = start(home, "sites", "--workers", "1", *words, port=ca.port)
        try:
            until_ready(run, 90)
            yield Gateway(run), secure
        finally:
            end(run)


def test_two_sites_at_once_and_each_by_itself(gateway: tuple[Gateway, int]) -> None:
    sites, port = gateway
    for name in ("shop", "blog"):
        assert settled(port, f"{name}.example", "Pebble").names == {f"{name}.example"}
        assert sites.get(f"{name}.example")[0] == 308
    if sites.run.is_apache:
        assert handshake(port, "nobody.example").names == {"blog.example"}, (
            "no handshake is refused: the first site's"
        )
    else:
        with pytest.raises(ssl.SSLError):
            handshake(port, "nobody.example")
    first = {name: settled(port, f"{name}.example", "Pebble").fingerprint for name in ("shop", "blog")}
    code, words = sites.says("cert", "renew", "--site", "shop")
    assert code == 0, words
    until(lambda: handshake(port, "shop.example").fingerprint != first["shop"], "the new one of shop")
    assert handshake(port, "blog.example").fingerprint == first["blog"]


def test_a_site_without_an_app_has_its_certificate_and_its_page(gateway: tuple[Gateway, int]) -> None:
    _, port = gateway
    shown = handshake(port, "broken.example")
    assert shown.names == {"broken.example"}
    assert shown.protocol == "TLSv1.3"
