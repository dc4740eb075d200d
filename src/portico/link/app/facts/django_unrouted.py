"""What a Django project does with a path that its URLs do not match: middleware runs, and handler404 answers."""

# mypy: disable-error-code="import-untyped"
from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.conf import settings
from django.template import TemplateDoesNotExist, loader
from django.urls import URLResolver
from django.utils.module_loading import import_string
from django.views import defaults

from portico.link.app.facts.own_answers import (
    gives_back,
    makes_passing,
    never_answers,
    passes_on,
    place,
    refuses,
)
from portico.site.pattern import ANYTHING, escape

_PASSING = (
    "django.middleware.", "django.contrib.sessions.", "django.contrib.auth.", "django.contrib.messages.",
    "django.contrib.sites.", "django.contrib.admindocs.", "corsheaders.", "csp.", "debug_toolbar.", "django_htmx.",
    "simple_history.", "django_prometheus.", "sentry_sdk.", "opentelemetry.", "whitenoise.", "waffle.",
)  # fmt: skip
"""Middleware that answers no path by itself, except OPTIONS and redirects of the whole site."""
_LOCALE = "django.middleware.locale.LocaleMiddleware"
_COMMON = "django.middleware.common.CommonMiddleware"


def unrouted(resolver: URLResolver, routes: list[dict[str, Any]]) -> dict[str, Any]:
    """`facts.Unrouted` of the project, with those routes. Each view decides its methods."""
    page, answers = _page(resolver)
    rules = [{"rule": route["rule"], "pattern": route["pattern"]} for route in routes]
    return {
        "rules": [*rules, *_static(answers)],
        "slashes": "append" if settings.APPEND_SLASH and _COMMON in settings.MIDDLEWARE else "",
        "answers": [*_middleware(), *answers],
        "page": page,
    }


def _middleware() -> Iterator[str]:
    for name in settings.MIDDLEWARE:
        if not name.startswith(_PASSING) and not _is_harmless(name):
            yield f"the middleware {name}"
    if settings.USE_I18N and _LOCALE in settings.MIDDLEWARE:
        from django.conf.urls.i18n import is_language_prefix_patterns_used

        if is_language_prefix_patterns_used(settings.ROOT_URLCONF)[0]:
            yield f"{_LOCALE}, which redirects to the page with its language before it,"


def _is_harmless(name: str) -> bool:
    try:
        made_of = import_string(name)
    except ImportError:
        return False
    if not isinstance(made_of, type):
        return makes_passing(made_of)
    hooks = [getattr(made_of, hook, None) for hook in ("process_request", "process_response")]
    own = vars(made_of).get("__call__")
    if own is not None:
        return passes_on(own) and not any(hooks)
    before, behind = hooks
    return any(hooks) and (before is None or never_answers(before)) and (behind is None or gives_back(behind))


def _static(answers: list[str]) -> Iterator[dict[str, str]]:
    """The paths that WhiteNoise answers before the URLs are looked up."""
    if not any(name.startswith("whitenoise.") for name in settings.MIDDLEWARE):
        return
    if getattr(settings, "WHITENOISE_ROOT", None):
        answers.append("WhiteNoise, which answers the files of WHITENOISE_ROOT,")
    url = str(getattr(settings, "WHITENOISE_STATIC_PREFIX", "") or settings.STATIC_URL or "")
    if url.startswith("/"):
        yield {"rule": url, "pattern": f"{escape(url)}{ANYTHING}"}


def _page(resolver: URLResolver) -> tuple[str, list[str]]:
    """The code that answers 404, and what makes that uncertain."""
    handler = resolver.resolve_error_handler(404)
    if handler is not defaults.page_not_found:
        if refuses(handler):
            return f"handler404 {place(handler)}", []
        return "", [f"handler404 {place(handler)}"]
    try:
        loader.get_template(defaults.ERROR_404_TEMPLATE_NAME)
    except TemplateDoesNotExist:
        return "", []
    except Exception:  # noqa: BLE001  the project's own loaders
        return "its template 404.html", []
    return "its template 404.html", []
