"""Django's command line, for `python manage.py collectstatic`."""

import os
import sys

from django.core.management import execute_from_command_line  # type: ignore[import-untyped]  # ships no types

if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "website.settings")
    execute_from_command_line(sys.argv)
