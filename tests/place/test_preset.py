"""Plans for places that are not this machine: what each kind of place changes."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from portico.errors import UsageError
from portico.place import preset
from portico.place.model import Place
from portico.plan.build import plan
from portico.plan.model import Plan
from portico.site.model import Site
from portico.site.options import Options
from portico.values import Address
from tests.plan.test_golden import DEBIAN, FACTS, PLACE

GIB = 1 << 30
SITE = Site(
    Options(listen=Address("0.0.0.0", 8080)), FACTS, "/srv/shop", "shop", {"listen": "portico.toml:1"}
)
CONTAINER = preset.container("shop-1a2b3c", DEBIAN, 1.0, GIB // 2)
POD = preset.pod("shop-1a2b3c", DEBIAN, 0.5, GIB // 8)
HOST = preset.host("shop-1a2b3c", DEBIAN, 4.0, 8 * GIB, "shop")


@pytest.mark.parametrize("place", [CONTAINER, POD, HOST], ids=["container", "pod", "host"])
def test_whatever_the_place_every_directory_is_below_its_two(place: Place) -> None:
    made = plan(SITE, place)
    roots = ("/run/portico/shop-1a2b3c", "/var/lib/portico/shop-1a2b3c")
    assert (made.runtime, made.state) == roots
    assert all(directory.path.startswith(roots) for directory in made.directories)


def test_a_container_and_a_host_give_the_app_a_user_of_its_own_and_a_pod_has_one_for_all() -> None:
    assert [_users(plan(SITE, place)) for place in (CONTAINER, HOST, POD)] == [
        ("nobody", {"", "nobody", "www-data"}),
        ("shop", {"", "shop", "www-data"}),
        ("", {""}),
    ]


def test_workers_follow_the_limits_that_were_given() -> None:
    assert [plan(SITE, place).workers for place in (CONTAINER, POD, HOST)] == [2, 1, 4]


def test_only_loopback_in_a_container_is_said() -> None:
    site = replace(SITE, options=Options(), causes={})
    assert [
        any("this is a container" in note for note in plan(site, place).notes) for place in (CONTAINER, HOST)
    ] == [True, False]


def test_a_service_has_its_own_directories_and_nothing_of_the_shell() -> None:
    here = replace(
        PLACE, runtime="/run/user/1000/portico/shop-1a2b3c", ends_with_session=True, port_of_platform="9000",
        variables_of_tools=("UWSGI_HTTP",), gateway_user="www-data", app_user="shop",
    )  # fmt: skip
    made = preset.service(here, "portico-shop", "deploy")
    assert (made.runtime, made.state) == (
        "/run/portico-shop/shop-1a2b3c",
        "/var/lib/portico-shop/shop-1a2b3c",
    )
    assert (made.user, made.app_user, made.gateway_user) == ("deploy", "", "")
    assert not [note for note in plan(SITE, made).notes if "log out" in note or "UWSGI_HTTP" in note]
    assert preset.service(here, "portico-shop", "").user == "portico-shop"
    assert preset.service(here, "portico-shop", "root").app_user == "shop"


def test_a_name_that_is_too_long_for_the_sockets_of_a_service_is_refused_at_the_export() -> None:
    long = f"{'shop' * 12}-1a2b3c"
    here = replace(PLACE, runtime=f"/run/{long}")
    plan(SITE, here)
    with pytest.raises(UsageError, match="this socket path has"):
        plan(SITE, preset.service(here, f"portico-{long}", "shop"))


def _users(made: Plan) -> tuple[str, set[str]]:
    return made.server.user, {directory.owner for directory in made.directories}
