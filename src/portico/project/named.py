"""The meaning of words: a directory, an app, a portico.toml."""

from __future__ import annotations

from pathlib import Path

from msgspec.structs import replace

from portico.errors import Problem, UsageError
from portico.project.here import here
from portico.site.load import FILE
from portico.site.resolve import word
from portico.values import AppRef


def as_config(app: str | None, config: str | None) -> tuple[str | None, str | None]:
    """APP and --config, where APP may be a portico.toml with any name. Raises UsageError if both name one."""
    if not app or not app.endswith(".toml") or is_directory(app):
        return app, config
    if config:
        raise UsageError(Problem("", f"{app} and --config {config} name two files", "name one of them"))
    return None, app


def named_by_file(config: str | None) -> str:
    """The name of a site whose file is not called portico.toml: one directory may contain several."""
    path = Path(config or FILE)
    return "" if path.name == FILE else word(path.stem)


def where_is(app: str | None, config: str | None) -> tuple[Path, AppRef | None]:
    """The site's directory, and the app if the command line names one.

    A directory is a site of its own; a file belongs to the current directory if that is a site (has a
    portico.toml), else to its own.
    """
    home = (here() / config).parent if config else here()
    if not app:
        return home, None
    if is_directory(app):
        return here() / app, None
    try:
        ref = AppRef.parse(app)
    except ValueError as error:
        raise UsageError(Problem("", f'"{app}" does not name an app', str(error))) from None
    _refuse_unreachable(ref)
    if not ref.is_file:
        return home, ref
    path = here() / ref.module
    is_site = config or config_file(home, None)
    return (home if is_site else path.parent), replace(ref, module=str(path))


def config_file(directory: Path, config: str | None) -> Path | None:
    """The portico.toml of the site, None if it has none. Raises UsageError if access is denied."""
    file = Path(config) if config else directory / FILE
    try:
        file.stat()
    except (FileNotFoundError, NotADirectoryError):
        return file if config else None
    except OSError as error:
        hint = "name another, or start Portico as a user who may read it"
        raise UsageError(Problem(str(file), f"cannot be read: {error.strerror}", hint)) from None
    return file


def is_directory(app: str) -> bool:
    """Whether a word is the path of an accessible directory."""
    try:
        return Path(app).is_dir()
    except OSError:
        return False  # not accessible; what reads it says why


def _refuse_unreachable(ref: AppRef) -> None:
    """Raises UsageError for a name that the system cannot look up: too long, or in a locked directory."""
    try:
        Path(ref.module.removesuffix(".py") + ".py").stat()
    except (FileNotFoundError, NotADirectoryError):
        return  # a module from elsewhere, or a file that the search for the app misses
    except OSError as error:
        hint = "expected module:attribute, like shop:app, or the path of a file that may be read"
        raise UsageError(Problem(ref.module, f"cannot be looked at: {error.strerror}", hint)) from None


def moved(
    home: Path, release: Path, ref: AppRef | None, config: str | None
) -> tuple[AppRef | None, str | None]:
    """App and --config of the site in `home` if its code is in `release`; a file that is not there stays."""
    if ref is not None and ref.is_file:
        ref = replace(ref, module=_inside(home, release, ref.module))
    if config and Path(moved := _inside(home, release, config)).exists():
        config = moved
    return ref, config


def _inside(home: Path, release: Path, path: str) -> str:
    """The same file in the other directory; a file from elsewhere stays."""
    try:
        return str(release / (here() / path).relative_to(home))
    except ValueError:
        return path
