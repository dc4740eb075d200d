"""The files of users with passwords, in the format that every gateway verifies."""

from __future__ import annotations

from portico.plan.files import File, Line
from portico.plan.paths import users_file
from portico.plan.web.model import Web


def users_files(web: Web) -> list[File]:
    """Files that only the gateway's workers can read, not even the app's user."""
    group = web.place.gateway_group
    return [
        File(
            users_file(number),
            tuple(Line(f"{name}:{hashed}", "a user, and the hash of the password", "", one.cause)
                  for name, hashed in one.entries),
            0o640 if group else 0o600, group, is_secret=True,
        )
        for number, one in enumerate(web.access.users.values if web.access.users else ())
    ]  # fmt: skip
