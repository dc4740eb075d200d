"""A sentence for each directive that people meet: what it does, its default, and what is missing without it."""

from __future__ import annotations

from portico.explain.httpd.names import MODULE_OF, canonical
from portico.explain.httpd.words.core import CORE
from portico.explain.httpd.words.guards import GUARDS
from portico.explain.httpd.words.links import LINKS
from portico.explain.language import Words

_OWN = {**GUARDS, **LINKS, **CORE}
_MANUAL = "https://httpd.apache.org/docs/2.4/mod/"
_ELSEWHERE = {
    "mod_wsgi": "https://modwsgi.readthedocs.io/en/latest/configuration-directives/{}.html",
    "mod_security2": "https://github.com/owasp-modsecurity/ModSecurity/wiki/Reference-Manual-(v2.x)",
}


def words(name: str, _above: str = "") -> Words | None:
    """The words for a directive or a block, also with its `<`; None for one of an unknown module."""
    name = canonical(name.removeprefix("<").removesuffix(">"))
    source = page_of(name)
    if name in _OWN:
        return Words(*_OWN[name], source)
    module = MODULE_OF.get(name)
    if module is None:
        return None
    return Words("none", f"a directive of {module}; Portico has no words of its own for it", "", source)


def page_of(name: str) -> str:
    """The directive's place in the documentation of its module; empty for an unknown one."""
    module = MODULE_OF.get(name)
    if module is None:
        return ""
    if module in _ELSEWHERE:
        return _ELSEWHERE[module].format(name)
    return f"{_MANUAL}{module}.html#{name.lower()}"
