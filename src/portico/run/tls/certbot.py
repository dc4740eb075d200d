"""Runs certbot as a separate program: `python -m portico.run.tls.certbot certonly ...`; and renewal info (ARI).

certbot repeats a request once if the server rejects its nonce. A busy server rejects more, and one lost request
would lose the whole order. Here it is repeated until the server accepts it.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import sys
import time
from pathlib import Path
from typing import Any

from acme import client, messages
from portico.run.processes import prctl

MOST_NONCES = 30
"""If a server rejects every second nonce, this many fail in a row once in 10**18 times."""
PROFILES = "profiles of this server: "


def patient(post: Any) -> Any:
    """`ClientNetwork.post`, which does not give up because of a nonce."""

    def again(self: client.ClientNetwork, *args: Any, **how: Any) -> Any:
        for left in reversed(range(MOST_NONCES)):
            try:
                return post(self, *args, **how)
            except messages.Error as error:
                if error.code != "badNonce" or not left:
                    raise
                time.sleep(0.01)
        raise AssertionError

    return again


def renewal_info(server: str, path: str) -> None:
    """Print the authority's time for renewal of the certificate in that file: {"at": seconds or null, "ask":
    seconds}.
    """
    network = client.ClientNetwork(user_agent="portico")
    directory = client.ClientV2.get_directory(server, network)
    at, ask = client.ClientV2(directory, network).renewal_time(Path(path).read_bytes())
    sys.stdout.write(json.dumps({"at": at.timestamp() if at else None, "ask": ask.timestamp()}))


def profiles(server: str) -> str:
    """The profiles that a server advertises, separated by commas."""
    directory = client.ClientV2.get_directory(server, client.ClientNetwork(user_agent="portico"))
    return ", ".join(directory.meta.profiles or ())


def main(words: list[str]) -> int:
    """certbot's exit code."""
    prctl.end_with(os.getppid(), signal.SIGTERM)  # it must not outlive Portico
    if words[:1] == ["renewal-info"]:
        renewal_info(*words[1:])
        return 0
    from certbot.main import main as certbot

    client.ClientNetwork.post = patient(client.ClientNetwork.post)  # type: ignore[method-assign]
    try:
        code = certbot(words)
    except BaseException:
        _tell_profiles(words)
        raise
    return int(code) if isinstance(code, int) else 1 if code else 0


def _tell_profiles(words: list[str]) -> None:
    """If an order for a certain profile failed, list the profiles."""
    if "--required-profile" in words:
        with contextlib.suppress(Exception):
            sys.stderr.write(f"{PROFILES}{profiles(words[words.index('--server') + 1])}\n")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
