"""Every code that a finding from outside may have; docs/check-url.md has them."""

from __future__ import annotations

from typing import Final

from portico.check.codes import Code

OUTSIDE: Final = {
    "url-answer": Code("breaks", "the page answers with a server error"),
    "url-certificate": Code("breaks", "a certificate for another name, from an unknown authority, or (nearly) expired"),
    "url-smuggling": Code("hole", "two servers read one request differently, so one can hide in another"),
    "url-files": Code("hole", "a file that must not be public: `.env`, `.git`, databases, source code"),
    "url-traversal": Code("hole", "a path with `..` leads out of a folder"),
    "url-traceback": Code("hole", "an error page shows a traceback, settings or a debugger"),
    "url-open": Code("hole", "metrics, status pages or consoles that any client can open"),
    "url-listing": Code("hole", "a folder lists its files"),
    "url-proxy": Code("hole", "CONNECT is answered: the server is an open proxy"),
    "url-trace": Code("hole", "TRACE is answered with the request, its cookies included"),
    "url-spoofed-host": Code("hole", "redirects, links or cookies name a host that the client chose"),
    "url-spoofed-scheme": Code("hole", "a header of the client decides whether the site uses `https`"),
    "url-spoofed-path": Code("hole", "a header of the client chooses another path, prefix or file"),
    "url-host": Code("hole", "the site answers to names that are not its own"),
    "url-framing": Code("hole", "the server accepts requests that every server must refuse"),
    "url-cors": Code("hole", "any site may read answers with a visitor's cookies"),
    "url-cookies": Code("hole", "cookies without Secure, HttpOnly or SameSite"),
    "url-tls": Code("hole", "old versions of TLS, or weak ciphers"),
    "url-plain": Code("hole", "no HTTPS, or plain HTTP that does not redirect to it"),
    "url-slow": Code("slow", "the server waits much longer for the head of a request than it takes to send one"),
    "url-body": Code("slow", "the server accepts a body of any size"),
    "url-versions": Code("hint", "responses disclose versions of the software"),
    "url-headers": Code("hint", "security headers that browsers act on are missing"),
    "url-errors": Code("hint", "an error page lacks the headers of other pages, or its status is no error"),
    "url-http2": Code("hint", "no HTTP/2"),
    "url-limited": Code("hint", "the site blocked this address after some requests, so the test is incomplete"),
    "url-described": Code("hint", "pages that describe the app's API"),
}  # fmt: skip
