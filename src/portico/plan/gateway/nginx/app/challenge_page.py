"""The page with the puzzle: a script that solves it, brings the solution, and opens the page that was asked for.

`portico.run.challenge.puzzle` verifies what the script computes. SubtleCrypto is missing on plain HTTP, and slower for
so short texts: the page has a SHA-256 of its own.
"""

from __future__ import annotations

import base64
import hashlib
import html
import json
from functools import lru_cache
from typing import NamedTuple

from portico.plan.web.app.challenge import PARTS, RETRY_SECONDS, ZERO_BITS, Challenge

CLIENT_HEADER = "X-Portico-Client"
"""With the puzzle comes the address that it is to be solved for."""


class Written(NamedTuple):
    """The page, the page of a form that was sent, the same for programs; and the policy under which the script runs."""

    html: str
    form: str
    json: str
    policy: str


@lru_cache(16)
def written(found: Challenge) -> Written:
    """For the challenge of one site."""
    script = (
        _SCRIPT.replace("PARTS", str(PARTS))
        .replace("ZERO_BITS", str(ZERO_BITS))
        .replace("CLIENT_HEADER", CLIENT_HEADER)
    )
    policy = (
        f"default-src 'none'; script-src '{_hash(script)}'; style-src '{_hash(_STYLE)}'; connect-src 'self'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'self'"
    )
    return Written(_html(found, script), _html(found, script, is_form=True), _json(found), policy)


def _hash(text: str) -> str:
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}"


def _json(found: Challenge) -> str:
    detail = "This address needs a pass. A browser gets one by itself when it opens the page."
    if not found.is_always:
        detail = (
            "More requests come than the app answers, and this address needs a pass meanwhile. A browser gets one by "
            "itself when it opens the page; a program can ask again later."
        )
    return json.dumps({"error": {"status": 429, "title": "No pass", "detail": detail}})


def _html(found: Challenge, script: str, *, is_form: bool = False) -> str:
    why, without, again = "This page takes the site a lot of work", "Please allow scripts for this site.", ""
    if not found.is_always:
        why = "This site is very busy"
        without = f"This page asks again every {RETRY_SECONDS} seconds, and opens when the site is less busy."
        again = f'\n<noscript><meta http-equiv="refresh" content="{RETRY_SECONDS}"></noscript>'
    form = ' data-form="1"' if is_form else ""
    if is_form:
        again = ""  # it would ask with GET
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="robots" content="noindex">{again}
<title>One moment, please</title>
<style>{_STYLE}</style>
</head>
<body>
<main data-path="{html.escape(found.path)}"{form}>
<h1>One moment, please</h1>
<p>{why}, so it first checks that a browser is asking. That takes less than a second, and you need not do anything.</p>
<p id="state" role="status"></p>
<p><button id="again" type="button" hidden></button></p>
<noscript><p>The check needs a script, and your browser runs none here. {without}</p></noscript>
</main>
<script>{script}</script>
</body>
</html>"""


_STYLE = """
:root { color-scheme: light dark; --ink: #1d2433; --paper: #f6f7f9; --line: #5b6475; }
@media (prefers-color-scheme: dark) { :root { --ink: #e8ebf1; --paper: #14171d; --line: #9aa4b5; } }
body { margin: 0; min-height: 100vh; display: grid; place-items: center; background: var(--paper);
  color: var(--ink); font: 17px/1.55 system-ui, sans-serif; }
main { max-width: 30rem; padding: 2rem; animation: shown .6s step-end; }
@keyframes shown { from { visibility: hidden; } }
h1 { font-size: 1.7rem; line-height: 1.2; margin: 0 0 .8rem; }
button { font: inherit; color: inherit; background: transparent; border: 2px solid var(--line);
  border-radius: .4rem; padding: .4rem 1rem; cursor: pointer; }
button:focus-visible { outline: 3px solid; outline-offset: 2px; }
"""

_SCRIPT = r"""
(function () {
  "use strict";
  var page = document.querySelector("main"), main = page.dataset;
  var state = document.getElementById("state"), again = document.getElementById("again");
  var primes = [], roots = [], start = [];
  for (var n = 2; primes.length < 64; n++) {
    if (primes.every(function (p) { return n % p; })) {
      roots.push((Math.pow(n, 1 / 3) % 1) * 4294967296 | 0);
      if (primes.length < 8) { start.push((Math.sqrt(n) % 1) * 4294967296 | 0); }
      primes.push(n);
    }
  }
  var k = new Int32Array(roots), h = new Int32Array(8), w = new Int32Array(64);

  function mixed() {
    var a = h[0], b = h[1], c = h[2], d = h[3], e = h[4], f = h[5], g = h[6], z = h[7], i, x, y;
    for (i = 16; i < 64; i++) {
      x = w[i - 15]; y = w[i - 2];
      w[i] = w[i - 16] + w[i - 7] + ((x >>> 7 | x << 25) ^ (x >>> 18 | x << 14) ^ x >>> 3) +
        ((y >>> 17 | y << 15) ^ (y >>> 19 | y << 13) ^ y >>> 10);
    }
    for (i = 0; i < 64; i++) {
      x = z + ((e >>> 6 | e << 26) ^ (e >>> 11 | e << 21) ^ (e >>> 25 | e << 7)) + (e & f ^ ~e & g) + k[i] + w[i] | 0;
      y = ((a >>> 2 | a << 30) ^ (a >>> 13 | a << 19) ^ (a >>> 22 | a << 10)) + (a & b ^ a & c ^ b & c) | 0;
      z = g; g = f; f = e; e = d + x | 0; d = c; c = b; b = a; a = x + y | 0;
    }
    h[0] += a; h[1] += b; h[2] += c; h[3] += d; h[4] += e; h[5] += f; h[6] += g; h[7] += z;
  }

  function sha256(text) {
    var length = text.length, last = (length + 8) >> 6, at = 0;
    h.set(start);
    for (var block = 0; block <= last; block++) {
      for (var i = 0; i < 16; i++) {
        for (var word = 0, j = 0; j < 4; j++, at++) {
          word = word << 8 | (at < length ? text.charCodeAt(at) : at === length ? 128 : 0);
        }
        w[i] = word;
      }
      if (block === last) { w[15] = length * 8; }
      mixed();
    }
    return h;
  }
  function hex(words) {
    return Array.from(words, function (x) { return ("0000000" + (x >>> 0).toString(16)).slice(-8); }).join("");
  }

  function tell(text, label) {
    state.textContent = text;
    again.hidden = !label;
    page.style.animation = "none";
    if (label) { again.textContent = label; again.focus(); }
  }

  function stop(text) { tell(text, isForm() ? "Go back" : "Try again"); }

  function isForm() { return !!main.form; }

  again.addEventListener("click", function () {
    if (isForm()) { history.back(); } else { location.reload(); }
  });

  function stuck() {
    var now = Date.now(), times;
    try {
      times = JSON.parse(sessionStorage.getItem("portico_pass") || "[]");
      times = times.filter(function (t) { return now - t < 60000; }).concat([now]);
      sessionStorage.setItem("portico_pass", JSON.stringify(times));
    } catch (error) { return !navigator.cookieEnabled; }
    return times.length > 3 || !navigator.cookieEnabled;
  }

  function ask(method, path, done, tries) {
    function later() {
      if (tries > 5) { stop("The site could not be reached. Please try again in a moment."); return; }
      setTimeout(function () { ask(method, path, done, tries + 1); }, 500 * Math.pow(2, tries) * (1 + Math.random()));
    }
    fetch(path, { method: method, cache: "no-store", credentials: "same-origin" }).then(function (answer) {
      if (answer.status === 429 || answer.status >= 500) { later(); } else { done(answer); }
    }, later);
  }

  function bring(seed, client, nonces) {
    var query = "?seed=" + encodeURIComponent(seed) + "&client=" + encodeURIComponent(client) +
      "&nonces=" + nonces.join(".");
    ask("POST", main.path + query, function (answer) {
      if (answer.ok && isForm()) {
        tell("Your browser has been checked. What you sent has not arrived: go back and send it again.", "Go back");
        return;
      }
      location.reload();
    }, 0);
  }

  function solve(seed, client) {
    var prefix = hex(sha256(seed + " " + client)).slice(0, 32), nonces = [], nonce = 0;
    (function go() {
      var end = Date.now() + 50;
      while (nonces.length < PARTS) {
        if (sha256(prefix + " " + nonces.length + " " + nonce)[0] >>> (32 - ZERO_BITS)) { nonce++; }
        else { nonces.push(nonce); nonce = 0; }
        if (!(nonce & 255) && Date.now() > end) { setTimeout(go, 0); return; }
      }
      bring(seed, client, nonces);
    })();
  }

  if (stuck()) {
    stop("The check needs a cookie, and your browser did not keep it. Please allow cookies for this site.");
  } else {
    setTimeout(function () { if (!state.textContent) { tell("Working\u2026"); } }, 1000);
    ask("GET", main.path + "/puzzle", function (answer) {
      answer.text().then(function (seed) { solve(seed, answer.headers.get("CLIENT_HEADER") || ""); });
    }, 0);
  }
})();
"""
