"""Options whose values portico.toml would refuse are not written: the refusal says why."""

from __future__ import annotations

from msgspec.structs import replace

from portico.explain.adopted import AdoptedSite, Fate, Option, Remark, numbered
from portico.project.adopt.toml import toml_of
from portico.site.load import refusals


def without_broken(site: AdoptedSite) -> AdoptedSite:
    """The site without the options that `load` refuses, each as a remark with its reason."""
    for _ in range(len(site.options) + 1):
        found = refusals(toml_of(site, ""))
        broken = [(one, why) for one in site.options if (why := _why(one, found))]
        if not broken:
            return _refused(site, found) if found else site
        names = {one.key for one, _ in broken}
        numbers = {key[1] for key in names if key[0] == "route"}
        lost = [Remark(Fate.LOST, one.cause, one.text, why) for one, why in broken]
        kept = [
            one
            for one in site.options
            if one.key not in names and not (one.key[0] == "route" and one.key[1] in numbers)
        ]
        site = replace(site, options=tuple(numbered(kept)), remarks=(*site.remarks, *lost))
    return site


def _refused(site: AdoptedSite, found: dict[str, str]) -> AdoptedSite:
    """Something is missing that the configuration does not say."""
    key, why = next(iter(found.items()))
    what = f"portico.toml needs {key}, and the configuration does not say it: {why}"
    lost = Remark(Fate.LOST, site.cause, "server", what, "write portico.toml by hand, with the options above")
    return replace(site, refused=what, remarks=(*site.remarks, lost))


def _why(one: Option, found: dict[str, str]) -> str:
    name = ".".join(one.key)
    for key, why in found.items():
        is_inside = name.startswith(f"{key}.") and (key != "headers.set" or why.startswith(f"{one.key[-1]} "))
        if name == key or is_inside:
            return why
    return ""
