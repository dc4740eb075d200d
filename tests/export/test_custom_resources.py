"""What the Gateway API, cert-manager and the Prometheus operator say about the objects of an export that are theirs."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
import yaml

from portico.export.kubernetes.build import plain
from tests.export.test_kubernetes import CASES, OTHERS, TOOLS, case, made

SCHEMAS = TOOLS / "schemas"
Object = dict[str, Any]


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> list[Object]:
    """By all cases together."""
    texts = [plain(made(case(path), tmp_path_factory.mktemp("site"))).content for path in CASES]
    found = [one for text in texts for one in yaml.safe_load_all(text)]
    return [one for one in found if one["apiVersion"] in OTHERS]


def _misspell(route: Object) -> None:
    route["spec"]["rules"][0]["machtes"] = []


def _misspell_deep(issuer: Object) -> None:
    issuer["spec"]["acme"]["solvers"][0]["http01"]["gatewayHTTPRoute"]["parent"] = "shop"


def _misspell_metadata(certificate: Object) -> None:
    certificate["metadata"]["label"] = {}


def _have_too_many(route: Object) -> None:
    route["spec"]["rules"] *= 17


def _have_no_such_port(gateway: Object) -> None:
    gateway["spec"]["listeners"][0]["port"] = 65536


def _lack_a_name(gateway: Object) -> None:
    del gateway["spec"]["listeners"][0]["name"]


def _name_a_type_that_is_none(route: Object) -> None:
    route["spec"]["rules"][0]["matches"] = [{"path": {"type": "Prefix", "value": "/"}}]


def _misspell_an_endpoint(monitor: Object) -> None:
    monitor["spec"]["podMetricsEndpoints"][0]["intervall"] = "30s"


WRONG: list[tuple[str, Callable[[Object], None], str]] = [
    ("HTTPRoute", _misspell, "machtes"),
    ("Issuer", _misspell_deep, "parent"),
    ("Certificate", _misspell_metadata, "label"),
    ("HTTPRoute", _have_too_many, "more than 16 items"),
    ("Gateway", _have_no_such_port, "<= 65535"),
    ("Gateway", _lack_a_name, "name"),
    ("HTTPRoute", _name_a_type_that_is_none, "Prefix"),
    ("PodMonitor", _misspell_an_endpoint, "intervall"),
]


@pytest.fixture(scope="module")
def spoiled(exported: list[Object]) -> list[Object]:
    """The largest of a kind, each with its own mistake."""
    found = list[Object]()
    for kind, spoil, _ in WRONG:
        largest = max((one for one in exported if one["kind"] == kind), key=lambda one: len(str(one)))
        found.append(deepcopy(largest))
        spoil(found[-1])
    return found


@pytest.fixture(scope="module")
def complaints(exported: list[Object], spoiled: list[Object]) -> list[list[str]]:
    """Of each object, those that are spoiled at the end."""
    if os.environ.get("CI") != "true" and not SCHEMAS.is_dir():
        pytest.skip("needs npm: scripts/cluster-tools")
    program = Path(__file__).with_name("custom_resources.mjs")
    done = subprocess.run(
        ["node", program, SCHEMAS], input=json.dumps([*exported, *spoiled]), capture_output=True, text=True,
        timeout=300, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    found: list[list[str]] = json.loads(done.stdout)
    return found


def test_they_accept_every_object_and_know_every_field(
    exported: list[Object], complaints: list[list[str]]
) -> None:
    assert {one["kind"] for one in exported} == set[str]().union(*OTHERS.values())
    assert not [(one["kind"], why) for one, why in zip(exported, complaints, strict=False) if why]


def test_they_find_what_is_wrong(exported: list[Object], complaints: list[list[str]]) -> None:
    for why, (kind, spoil, expected) in zip(complaints[len(exported) :], WRONG, strict=True):
        assert expected in " ".join(why), (kind, spoil.__name__, why)
