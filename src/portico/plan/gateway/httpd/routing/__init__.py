"""Requests that go elsewhere than to the site's own app."""
