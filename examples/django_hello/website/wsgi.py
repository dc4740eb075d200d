"""What a WSGI server imports."""

import os

from django.core.wsgi import get_wsgi_application  # type: ignore[import-untyped]  # ships no types

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "website.settings")
application = get_wsgi_application()
