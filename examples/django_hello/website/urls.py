"""The one page."""

from django.urls import path  # type: ignore[import-untyped]  # ships no types
from django.views.generic import TemplateView  # type: ignore[import-untyped]  # ships no types

urlpatterns = [path("", TemplateView.as_view(template_name="hello.html"), name="hello")]
