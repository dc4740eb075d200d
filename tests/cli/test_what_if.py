"""`portico what-if` starts a gateway: root starts none that somebody else has chosen."""

from __future__ import annotations

import os
import pwd

import pytest

from portico.cli.commands.understand.what_if import refuse_untrusted
from portico.errors import UsageError
from tests.support import private_directory
from tests.users import ONLY_ROOT, USER

pytestmark = ONLY_ROOT


def test_root_starts_no_gateway_of_another_user() -> None:
    with private_directory() as home:
        runtime = home / "shop-123456"
        runtime.mkdir()
        refuse_untrusted(str(runtime))
        (home / "link").symlink_to(runtime)
        refuse_untrusted(str(home / "link"))
        for theirs in (runtime, home):
            os.chown(theirs, pwd.getpwnam(USER).pw_uid, -1)
            with pytest.raises(UsageError, match=f"root would start .*{USER}(.|\n)*sudo -u NAME"):
                refuse_untrusted(str(runtime))
            os.chown(theirs, 0, -1)
        os.lchown(home / "link", pwd.getpwnam(USER).pw_uid, -1)
        with pytest.raises(UsageError, match="root would start"):
            refuse_untrusted(str(home / "link"))
