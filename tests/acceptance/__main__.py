"""`python -m tests.acceptance URL`: asks a site of `app` that runs somewhere, and prints what holds."""

from __future__ import annotations

import sys

from tests.acceptance.checks import CHECKS, client


def main(url: str) -> int:
    failed = 0
    with client(url) as site:
        for check in CHECKS:
            try:
                check(site)
            except AssertionError as error:
                failed += 1
                print(f"{check.__name__:10} FAILED  {error}")
            else:
                print(f"{check.__name__:10} ok")
    return min(failed, 1)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
