"""Pyramid with one view and one static folder."""

from pathlib import Path

from pyramid.config import Configurator
from pyramid.request import Request
from pyramid.response import Response

ASSETS = Path(__file__).parent / "assets"
PAGE = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Hello from Pyramid</title>
<link rel="stylesheet" href="{style}">
<h1>Hello from Pyramid</h1>
"""


def hello(request: Request) -> Response:
    """Greet."""
    return Response(PAGE.format(style=request.static_path(f"{ASSETS}/hello.css")))


with Configurator() as config:
    config.add_static_view("assets", str(ASSETS))
    config.add_route("hello", "/")
    config.add_view(hello, route_name="hello")

app = config.make_wsgi_app()
