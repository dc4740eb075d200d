"""Decides which sites fit together: by their bindings, their addresses, and the gateway's check of all files."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Collection, Iterable, Sequence
from contextlib import suppress
from pathlib import Path

from portico.errors import PorticoError, Problem
from portico.place.model import Place
from portico.plan.bindings import Bindings, BindingTable
from portico.plan.host import Fragment, fitting, host_plan
from portico.plan.paths import hosted_files
from portico.run.disk.write import write_files
from portico.run.gateway import files
from portico.run.sockets import ports
from portico.values import Address

TRIAL = "trial"

Refused = list[tuple[Fragment, tuple[Problem, ...]]]


def acceptable(
    parts: Collection[Fragment], place: Place, open_already: Collection[Address] | None
) -> tuple[list[Fragment], Refused]:
    """The sites that can be served together, and the reason for each of the others; earlier sites take precedence.

    `open_already` are addresses that we hold; None if the service manager may have passed some, which is
    not known yet.
    """
    fit, conflicting = fitting(parts)
    refused: Refused = [(one, (problem,)) for one, problem in conflicting]
    if open_already is not None:
        fit, more = _bindable(fit, place, open_already)
        refused += more
    while problems := objections(fit, place):
        guilty = _guilty(fit, place, problems)
        refused.append((guilty, tuple(_about(guilty, problem) for problem in problems)))
        fit = [one for one in fit if one is not guilty]
    return fit, refused


def conflict(new: Fragment, parts: Iterable[Fragment], pending: Iterable[Bindings]) -> tuple[Problem, ...]:
    """Why a site's new part does not fit beside the others, including those that are about to change."""
    bindings = BindingTable()
    for other in (*(part.bindings for part in parts), *pending):
        if other.name != new.bindings.name:
            bindings.add(other)
    problem = bindings.add(new.bindings)
    return () if problem is None else (problem,)


def objections(parts: Sequence[Fragment], place: Place) -> tuple[Problem, ...]:
    """The gateway's errors about these sites, tested in a directory beside the active files; blocks."""
    plan, trial = host_plan(parts, place), Path(place.runtime) / TRIAL
    shutil.rmtree(trial, ignore_errors=True)
    trial.mkdir()
    try:
        write_files(plan.files, trial)
        return files.tested(plan, trial)
    finally:
        with suppress(OSError):
            shutil.rmtree(trial)


def _bindable(
    parts: list[Fragment], place: Place, open_already: Collection[Address]
) -> tuple[list[Fragment], Refused]:
    known: dict[Address, tuple[Problem, ...]] = dict.fromkeys(open_already, ())
    fit: list[Fragment] = []
    refused: Refused = []
    for part in parts:
        problems = tuple(
            problem for address in part.bindings.addresses for problem in _look(known, address, place)
        )
        if problems:
            refused.append((part, problems))
        else:
            fit.append(part)
    return fit, refused


def _look(known: dict[Address, tuple[Problem, ...]], address: Address, place: Place) -> tuple[Problem, ...]:
    if address not in known:
        try:
            ports.check([address], place.gateway.path)
            known[address] = ()
        except PorticoError as error:
            known[address] = error.problems
    return known[address]


def _guilty(parts: Sequence[Fragment], place: Place, problems: tuple[Problem, ...]) -> Fragment:
    """The site that the gateway's error means: the one whose file it names, else the first whose addition causes it."""
    words = "\n".join(problem.quote for problem in problems)
    named = [part for part in parts if f"/{hosted_files(part.bindings.name)}/" in words]
    if len(named) == 1:
        return named[0]
    if objections((), place):
        raise PorticoError(Problem(place.gateway.program, "does not accept a gateway without any site"))
    return _first(parts, lambda some: bool(objections(some, place)))


def _first(parts: Sequence[Fragment], is_bad: Callable[[Sequence[Fragment]], bool]) -> Fragment:
    """The last element of the shortest failing prefix of the list, by bisection."""
    low, high = 0, len(parts)
    while high - low > 1:
        middle = (low + high) // 2
        if is_bad(parts[:middle]):
            high = middle
        else:
            low = middle
    return parts[high - 1]


def _about(part: Fragment, problem: Problem) -> Problem:
    return Problem(
        part.bindings.origin, f"{problem.where} {problem.what}".strip(), problem.hint, problem.quote
    )
