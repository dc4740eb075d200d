"""Answers are sent no faster than the site or their route says."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support import Served, served

APP = """
import os

from flask import Flask, Response

app = Flask(__name__)


@app.get("/slowly")
def slowly():
    return Response(os.urandom(98304), mimetype="application/octet-stream")


@app.get("/")
def home():
    return Response(os.urandom(98304), mimetype="application/octet-stream")
"""
TOML = """
app = "shop:app"

[limits]
bandwidth = "1GiB/second"

[routes."/slowly"]
bandwidth = "64KiB/second"
"""


@pytest.fixture(scope="module")
def site(front: tuple[str, str]) -> Iterator[Served]:
    with served({"shop.py": APP, "portico.toml": TOML}, *front) as run:
        yield run


def test_a_route_has_its_own_speed(site: Served) -> None:
    answer = site.get("/slowly")
    assert len(answer.content) == 98304
    assert float(site.line(answer)["seconds"]) > 0.3  # nginx sends the first 64 KiB at once
    assert len(site.get("/").content) == 98304
