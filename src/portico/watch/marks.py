"""What happened while the site ran, as a word or two on a time axis."""

from __future__ import annotations

from typing import Any


def mark(told: dict[str, Any]) -> dict[str, Any] | None:
    """The label and how bad it is ("good", "warn", "bad", "note") of a notice, None for what is no mark."""
    name, number = told["notice"], told.get("number")
    words = {
        "Ready": ("note", "serving"),
        "Switched": ("good", f"release {number} serves"),
        "CanaryServes": ("note", f"release {number} gets {told.get('tenths')}0 %"),
        "CanaryLeft": ("note", f"canary {number} left"),
        "RolledBack": ("warn", f"back to release {number}"),
        "TookOver": ("bad", f"back to release {number}"),
        "CannotLoad": ("bad", f"a worker of release {number} cannot load the app"),
        "OtherCode": ("warn", f"release {number} has other code"),
        "ReleaseDropped": ("bad", f"release {number} dropped"),
        "Restarting": ("bad", f"{told.get('name')} ended ({told.get('code')})"),
        "Recovered": ("good", f"{told.get('name')} is back"),
        "Stuck": ("bad", f"{told.get('name')} did not become well"),
        "ServerOut": ("bad", f"server {told.get('name')} out"),
        "ServerBack": ("good", f"server {told.get('name')} back"),
        "ServerDrained": ("note", f"server {told.get('name')} drained"),
        "LastServer": ("bad", f"server {told.get('name')} fails, the last one"),
        "CertificateServed": ("good", "new certificate"),
        "CertificateFailed": ("bad", "no new certificate"),
        "CertificateRefused": ("bad", "certificate files refused"),
        "CertificateNotServed": ("bad", f"wrong certificate at {told.get('address')}"),
        "CertificateEnds": ("bad", "the certificate ends soon"),
        "NoServer": ("bad", "no server answers well"),
        "OldWorkerEnded": ("warn", "an old nginx worker ended, its transfers cut"),
        "DiskFull": ("bad", "the disk is full"),
        "DiskBack": ("good", "the disk has room again"),
    }.get(name)
    return {"level": words[0], "text": words[1]} if words else None
