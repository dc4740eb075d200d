"""Where each portico.toml belongs, and writing them: all, or none."""

from __future__ import annotations

from pathlib import Path

from msgspec.structs import replace

from portico.errors import PorticoError, Problem
from portico.project.adopt.adopt import Made, Result
from portico.project.adopt.toml import toml_of
from portico.project.adopt.write import write
from portico.site.load import FILE


def write_all(result: Result, output: Path | None) -> list[Path]:
    """The files that were written; nothing is written if one of them is there already. Raises PorticoError."""
    wanted = [(target_of(result, one, output), one) for one in result.sites if one.text]
    there = [path for path, _ in wanted if path.exists() or path.is_symlink()]
    if there:
        hint = "name another with --output, or remove it"
        raise PorticoError(
            *(Problem(str(path), "is there already, and stays as it is", hint) for path in there)
        )
    for path, made in wanted:
        write(path, elsewhere(made, path).text)
    return [path for path, _ in wanted]


def target_of(result: Result, made: Made, output: Path | None) -> Path:
    """Where a portico.toml belongs: beside its app; of several sites each in a file of its own name."""
    served = [one for one in result.sites if one.text]
    if output is not None and output.suffix == ".toml" and len(served) == 1:
        return output
    if output is not None:
        return output / (FILE if len(served) == 1 else f"{made.site.name}.toml")
    if len(served) == 1:
        return Path(made.directory or ".") / FILE
    return Path(made.directory, FILE) if made.directory else Path(f"{made.site.name}.toml")


def elsewhere(made: Made, target: Path) -> Made:
    """The same for a file that is not beside its app: the app is named by its path."""
    app = made.site.value("app")
    if not made.directory or not isinstance(app, str) or target.absolute().parent == Path(made.directory):
        return made
    module, colon, rest = app.partition(":")
    base = Path(made.directory, *module.removesuffix(".py").split("."))
    file = next(
        (
            one
            for one in (base.with_suffix(".py"), base / "__init__.py", Path(made.directory, module))
            if one.is_file()
        ),
        None,
    )
    if file is None:
        return made
    options = tuple(
        replace(one, value=f"{file}{colon}{rest}") if one.key == ("app",) else one
        for one in made.site.options
    )
    site = replace(made.site, options=options)
    return replace(made, site=site, text=toml_of(site, made.site.cause.rpartition(":")[0]))
