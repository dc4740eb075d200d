"""Debian's httpd for tests: its program, its modules, and the lines that load them."""

from __future__ import annotations

import shutil
from pathlib import Path

PROGRAM = next(
    (found for name in ("apache2", "httpd") if (found := shutil.which(name, path="/usr/sbin:/usr/bin:/bin"))),
    "apache2",
)
MODULES = Path("/usr/lib/apache2/modules")


def loads(*names: str) -> str:
    """`loads("proxy", "alias")`; names of modules without `mod_`, in an order that their symbols allow."""
    return "".join(f"LoadModule {name}_module {MODULES}/mod_{name}.so\n" for name in names)
