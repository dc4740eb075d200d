"""What adopt says of the limits of an app server beside those of nginx."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from portico.project.adopt.adopt import adopt

SITE = (
    "server {{\n    listen 80;\n    server_name {name};\n    location / {{\n        {passes};\n    }}\n}}\n"
)
HTTP = "proxy_pass http://127.0.0.1:8000"
OTHER = "proxy_pass http://127.0.0.1:9000"
UWSGI = "uwsgi_pass unix:/run/shop.sock"
GUNICORN = {"gunicorn.conf.py": 'wsgi_app = "app:app"\nbind = "127.0.0.1:8000"\ntimeout = 120\n'}
INI = "[uwsgi]\nmodule = app:app\nsocket = /run/shop.sock\nharakiri = {seconds}\nlimit-post = {size}\n"


@pytest.mark.parametrize(
    ("passes", "files", "codes"),
    [
        ([HTTP], GUNICORN, {"timeout-mismatch"}),
        ([HTTP], {"gunicorn.conf.py": GUNICORN["gunicorn.conf.py"].replace("120", "40")}, set()),
        ([UWSGI], {"uwsgi.ini": INI.format(seconds=90, size=8 << 20)}, {"timeout-mismatch", "body-mismatch"}),
        ([UWSGI], {"uwsgi.ini": INI.format(seconds=30, size=1000)}, set()),
        ([HTTP, OTHER], GUNICORN, set()),
    ],
    ids=["gunicorn", "shorter", "uwsgi", "less", "another site has another server"],
)
def test_the_app_server_beside_is_compared(
    passes: list[str], files: dict[str, str], codes: set[str], tmp_path: Path
) -> None:
    text = "".join(SITE.format(name=f"s{at}.example", passes=one) for at, one in enumerate(passes))
    for name, content in {"site.conf": text, "app.py": "app = None\n", **files}.items():
        (tmp_path / name).write_text(content)
    found = [
        one for one in adopt(tmp_path / "site.conf", system=()).findings if one.code.endswith("-mismatch")
    ]
    assert {one.code for one in found} == codes
    assert all(re.search(rf"\({tmp_path}/\S+:\d+\)", one.what) for one in found)
