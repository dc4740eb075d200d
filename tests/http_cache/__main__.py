"""`python -m tests.http_cache`: npm's http-cache-tests through Portico's cache as it is by default.

The tests are had from npm's registry into a temporary directory; their node server is the origin, behind a WSGI app
that passes its answers on, so that they come through the link that every app has.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click
import httpx

from tests.support import free_port, private_directory, served
from tests.support.process import DEVNULL, running

PACKAGE = "http-cache-tests@0.4.5"
BARE = 186
"""What nginx 1.31.3 passes by itself, with proxy_cache on and nothing else."""
SECURE = ("authorization", "vary", "vary-parse", "cc-response", "other")
_ORIGIN = Path(__file__).with_name("origin.py")
_WORKERS = "workers = { count = 2, threads = 64 }\n"
_RUNNER = Path(__file__).with_name("run.mjs")


@click.command()
@click.option("--nginx", default="embedded", help="embedded, system or the path of a binary.")
@click.option("--toml", default="", help="A portico.toml for the site, as text.")
@click.option(
    "--as-is", is_flag=True, help="Leave answers unmarked: nothing without `public` or s-maxage is kept."
)
@click.option("--json", "is_json", is_flag=True, help="Every test with its result.")
@click.option("--failed", is_flag=True, help="Name what failed.")
def main(nginx: str, toml: str, as_is: bool, is_json: bool, failed: bool) -> None:
    """Run all of them, and say how many passed, by group."""
    with private_directory() as home:
        tests = _install(home)
        results = _run(tests, nginx, toml, "" if as_is else "public")
    if is_json:
        click.echo(json.dumps(results, indent=1))
        return
    for line in _table(results):
        click.echo(line)
    if failed:
        for each in results:
            if not each["passed"]:
                click.echo(f"{each['group']:20} {each['kind']:9} {each['id']:45} {each['said'][:100]}")
    passed = sum(each["passed"] for each in results)
    sys.exit(0 if passed > BARE else 1)


def _install(home: Path) -> Path:
    (home / "package.json").write_text('{"private": true}')
    words = ["npm", "install", "--silent", "--no-audit", "--no-fund", PACKAGE]
    subprocess.run(words, cwd=home, check=True, stdout=subprocess.DEVNULL)
    return home / "node_modules" / "http-cache-tests"


def _run(tests: Path, nginx: str, toml: str, mark: str) -> list[dict[str, Any]]:
    shutil.copy(_RUNNER, tests)
    files = {"app.py": _ORIGIN.read_text(), "portico.toml": _WORKERS + toml}
    with _origin(tests) as port, served(files, "--nginx", nginx, env={"ORIGIN_PORT": str(port)}) as run:
        done = subprocess.run(
            ["node", "--no-warnings", _RUNNER.name], cwd=tests, env={**os.environ, "BASE": run.url, "MARK": mark},
            check=False, capture_output=True, text=True, timeout=300,
        )  # fmt: skip
    if done.returncode:
        raise click.ClickException(done.stderr[-2000:])
    found: list[dict[str, Any]] = json.loads(done.stdout.splitlines()[-1])
    for each in found:
        result = each.pop("result")
        each["passed"] = result is True
        each["said"] = ": ".join(result) if isinstance(result, list) else str(result)
    return found


@contextmanager
def _origin(tests: Path) -> Iterator[int]:
    port = free_port()
    settings = {"npm_config_port": str(port), "npm_config_protocol": "http"}
    env = {**os.environ, **settings, "npm_config_pidfile": str(tests / "pid")}
    with running(["node", "server/server.mjs"], cwd=tests, stdout=DEVNULL, env=env):
        _until_up(port)
        yield port


def _until_up(port: int) -> None:
    give_up = time.monotonic() + 30
    while time.monotonic() < give_up:
        try:
            httpx.get(f"http://127.0.0.1:{port}/state/none", timeout=60)
        except httpx.TransportError:
            time.sleep(0.1)
        else:
            return
    raise click.ClickException("the node server of the tests does not answer")


def _table(results: list[dict[str, Any]]) -> Iterator[str]:
    kinds = ("required", "optimal", "check")
    yield f"{'group':22}" + "".join(f"{kind:>14}" for kind in kinds)
    for group in [*dict.fromkeys(each["group"] for each in results), ""]:
        cells = []
        for kind in kinds:
            of = [each for each in results if each["kind"] == kind and group in ("", each["group"])]
            cells.append(f"{sum(each['passed'] for each in of)} of {len(of)}" if of else "-")
        yield f"{group or 'all':22}" + "".join(f"{cell:>14}" for cell in cells)
    yield f"{sum(each['passed'] for each in results)} of {len(results)} passed; bare nginx: {BARE}"


if __name__ == "__main__":
    main()
