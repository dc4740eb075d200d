"""The origin of http-cache-tests as an app: what the node server of the tests says, Portico serves."""

import http.client
import os

_HOP_BY_HOP = {"connection", "keep-alive", "transfer-encoding"}
_RENAMED = {"CONTENT_TYPE": "Content-Type", "CONTENT_LENGTH": "Content-Length"}


def app(environ, start_response):  # type: ignore[no-untyped-def]
    connection = http.client.HTTPConnection("127.0.0.1", int(os.environ["ORIGIN_PORT"]), timeout=20)
    headers = {_name(key): value for key, value in environ.items() if _name(key) and value}
    body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
    connection.request(environ["REQUEST_METHOD"], environ["REQUEST_URI"], body or None, headers)
    answer = connection.getresponse()
    content = answer.read()
    kept = [pair for pair in answer.getheaders() if pair[0].lower() not in _HOP_BY_HOP]
    start_response(f"{answer.status} {answer.reason}", kept)
    return [content]


def _name(key: str) -> str:
    if key.startswith("HTTP_"):
        return key.removeprefix("HTTP_").replace("_", "-").title()
    return _RENAMED.get(key, "")
