"""A certificate's status as lines, for `portico cert` and `portico status`."""

from __future__ import annotations

import time

from portico.cli import output
from portico.cli.words import lasting
from portico.protocol.status import CertificateStatus

_PLACEHOLDER = "placeholder"


def row(certificate: CertificateStatus | None) -> list[str]:
    """The line in `portico status`; no line without HTTPS."""
    if certificate is None:
        return []
    text = f"  https      {_state(certificate)}"
    return [output.bad(text) if is_bad(certificate) else text]


def is_bad(certificate: CertificateStatus) -> bool:
    """Whether the certificate needs attention."""
    if certificate.source == _PLACEHOLDER or certificate.missing or certificate.refused:
        return True
    is_wrong = any(not seen.is_served for seen in certificate.addresses)
    return is_wrong or certificate.phase != "good"


def details(certificate: CertificateStatus) -> list[str]:
    """The whole status, for people."""
    shown = certificate
    lines = [
        f"{output.strong(', '.join(shown.names))}",
        f"  state      {_state(shown)}",
        f"  source     {_source(shown)}",
        f"  until      {_day(shown.not_after)}",
        f"  next       {_next(shown)}",
    ]
    if shown.last_attempt:
        lines.append(f"  last try   {_ago(shown.last_attempt)}{_outcome(shown)}")
    for seen in shown.addresses:
        text = f"  served at  {seen.address}"
        is_so = seen.is_served
        lines.append(text if is_so else output.bad(f"{text}  another one, or none {seen.words}"))
    lines.append(f"  browsers   {_hsts(shown)}")
    if shown.authority:
        lines.append(f"  authority  {shown.authority}  (portico cert trust says how to trust it)")
    lines += [output.warned(f"  {line}") for problem in shown.problems for line in problem.splitlines()]
    return lines


def _state(shown: CertificateStatus) -> str:
    if shown.source == _PLACEHOLDER:
        why = "your files cannot be used" if shown.refused else "there is no certificate yet"
        return f"a temporary self-signed certificate is served: {why}"
    left = shown.days_left
    if left < 0:
        return f"EXPIRED {_ago(shown.not_after)}"
    lacks = f", lacks {', '.join(shown.missing)}" if shown.missing else ""
    lacks += ", the files that are there now cannot be used" if shown.refused else ""
    return f"good for {lasting(left * 86400)}{lacks}, next attempt {_next(shown)}"


def _source(shown: CertificateStatus) -> str:
    words = {
        "auto": f"{shown.issuer}, ordered from {shown.server}",
        "local": "Portico's local authority",
        "files": f"your files, signed by {shown.issuer}",
        _PLACEHOLDER: "a temporary one, made by Portico",
    }
    is_known = shown.trusted or shown.source in ("local", _PLACEHOLDER)
    return words[shown.source] + ("" if is_known else " (which this system does not trust)")


def _next(shown: CertificateStatus) -> str:
    at = shown.next_attempt
    if at is None:
        return "when the files change" if shown.mode == "files" else "now"
    seconds = at - time.time()
    return f"in {lasting(seconds)}" if seconds > 0 else "now"


def _outcome(shown: CertificateStatus) -> str:
    if not shown.failures:
        return ", and it succeeded"
    return output.warned(f", and it failed ({shown.failures} in a row)")


def _hsts(shown: CertificateStatus) -> str:
    seconds = shown.hsts_seconds
    if seconds:
        return f"HSTS: insist on HTTPS for {lasting(seconds)}"
    if shown.mode == "local":
        return "HSTS is not sent: never with mode local"
    return "HSTS is not sent (yet): see [https] hsts"


def _ago(moment: float) -> str:
    return f"{lasting(max(0.0, time.time() - moment))} ago"


def _day(moment: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime(moment))
