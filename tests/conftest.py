"""Holds for every test: who runs the apps."""

from __future__ import annotations

import os

from tests.support import AS_ROOT

os.environ |= AS_ROOT
