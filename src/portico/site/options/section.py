"""The base of every table of options."""

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
    """Declares an option. `reach` names the rights that it gives beyond those of the app's user; empty for none. When
    Portico is root, such an option counts only if root alone can change its file, see `site.reach`. `is_read`: it
    names a file or a folder, which is read with the rights of the app's user.
    """
    extra = {"example": example, "reach": reach, "is_read": is_read} | ({"source": source} if source else {})
    return Meta(description=help, extra=extra)


class Section(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A table of portico.toml. `shorthand` names the key that a plain value stands for."""

    shorthand: ClassVar[str] = ""
