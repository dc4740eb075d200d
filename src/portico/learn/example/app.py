"""The example of `portico learn`: a small shop without a framework. Portico finds its files by portico.toml."""

PAGES = {
    "/": "Welcome to the shop.",
    "/cart": "Your cart is empty.",
    "/news": "New today: a teapot.",
}


def app(environ, start_response):  # type: ignore[no-untyped-def]
    """Answer with one of the pages."""
    text = PAGES.get(environ["PATH_INFO"])
    if text is None:
        start_response("404 Not Found", [("Content-Type", "text/html")])
        return [b"<title>Not here</title>"]
    headers = [("Content-Type", "text/html; charset=utf-8")]
    if environ["PATH_INFO"] == "/news":
        headers.append(("Cache-Control", "public, max-age=3600"))
    start_response("200 OK", headers)
    return [f"<!doctype html><title>Shop</title><p>{text}\n".encode()]
