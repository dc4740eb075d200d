"""What every table of options is made of."""

from __future__ import annotations

from typing import Any, ClassVar

import msgspec
from msgspec import Meta


def option(
    help: str,  # noqa: A002  the field's own word
    *,
    example: Any,
    source: str = "",
    reach: str = "",
    is_read: bool = False,
) -> Meta:
    """`reach` says what the option gives beyond the rights of the app's user; empty for nothing. As root such an
    option counts only where root alone may write, see `site.reach`. `is_read`: it names a file or a folder, which is
    used with the rights of the app's user."""
    extra = {"example": example, "reach": reach, "is_read": is_read} | ({"source": source} if source else {})
    return Meta(description=help, extra=extra)


class Section(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A table of portico.toml. `shorthand` names the key that a plain value stands for."""

    shorthand: ClassVar[str] = ""
