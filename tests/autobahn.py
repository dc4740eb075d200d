"""`make websocket-cases PYTHON2=python2.7`: the cases of autobahntestsuite, against an ASGI app's echo behind nginx.

The suite is for Python 2.7 alone. It is installed with pip into a private directory.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import click

from tests.support import private_directory, served

SUITE = "autobahntestsuite==25.10.1"
QUICK = ("1.*", "2.*", "3.*", "4.*", "5.*", "6.*", "7.*", "10.*")
"""Framing, control frames, opcodes, fragments, UTF-8, closing; 9 are sizes and speeds, 12 and 13 compression."""
GOOD = ("OK", "NON-STRICT", "INFORMATIONAL", "UNIMPLEMENTED")
KNOWN = {
    "7.1.5": "a Close within a message in parts: the library of WebSockets answers 1002, the suite wants 1000"
}
ECHO = """
async def app(scope, receive, send):
    if scope["type"] == "http":
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"ok"})
    if scope["type"] != "websocket":
        return
    await receive()
    await send({"type": "websocket.accept"})
    while (said := await receive())["type"] == "websocket.receive":
        await send({"type": "websocket.send", "text": said.get("text"), "bytes": said.get("bytes")})
"""
RUN = """
import site, sys
site.addsitedir(sys.argv.pop(1))
from autobahntestsuite.wstest import run
sys.exit(run())
"""


@click.command()
@click.option("--python2", required=True, help="A Python 2.7 with pip.")
@click.option("--cases", default=",".join(QUICK), help="Comma-separated: 1.*,7.1.5; * is all (an hour).")
def main(python2: str, cases: str) -> None:
    with private_directory() as home:
        suite = home / "suite"
        subprocess.run([python2, "-m", "pip", "install", "-q", "--target", suite, SUITE], check=True)
        with served({"app.py": ECHO}, "--workers", "1") as run:
            found = _asked(python2, suite, home, f"ws://127.0.0.1:{run.port}/", cases.split(","))
    print(
        f"{len(found)} cases: {', '.join(f'{count} {name}' for name, count in Counter(found.values()).items())}"
    )
    wrong = {case: how for case, how in found.items() if how not in GOOD}
    for case, how in wrong.items():
        print(f"{case}: {how}  {KNOWN.get(case, '')}")
    sys.exit(not wrong.keys() <= KNOWN.keys())


def _asked(python2: str, suite: Path, home: Path, url: str, cases: list[str]) -> dict[str, str]:
    """The outcome of each case: the worse of the answers and of the end."""
    (home / "run.py").write_text(RUN)
    spec: dict[str, Any] = {"outdir": str(home / "out"), "servers": [{"agent": "portico", "url": url}]}
    spec |= {"cases": cases, "exclude-cases": [], "exclude-agent-cases": {}}
    (home / "spec.json").write_text(json.dumps(spec))
    words: list[str | Path] = [
        python2,
        home / "run.py",
        suite,
        "-m",
        "fuzzingclient",
        "-s",
        home / "spec.json",
    ]
    subprocess.run(words, cwd=home, check=True, stdout=subprocess.DEVNULL)
    told = json.loads((home / "out" / "index.json").read_text())["portico"]
    return {
        case: max(one["behavior"], one["behaviorClose"], key=lambda how: how not in GOOD)
        for case, one in told.items()
    }


if __name__ == "__main__":
    main()
