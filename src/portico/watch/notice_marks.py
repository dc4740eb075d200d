"""What happened while the site ran, as a word or two on a time axis."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from portico.protocol import notices
from portico.protocol.notices import Notice


class Mark(NamedTuple):
    """`level` is how bad it is: "good", "note", "warn" or "bad"."""

    level: str
    text: str


def mark(item: Notice) -> Mark | None:
    """What a notice is on the axis; None for one that is no mark."""
    found = MARKS.get(type(item))
    return found and Mark(found.level, found.text.format(item))


MARKS: Mapping[type[Notice], Mark] = {
    notices.Ready: Mark("note", "serving"),
    notices.Switched: Mark("good", "release {0.number} serves"),
    notices.CanaryServes: Mark("note", "release {0.number} gets {0.tenths}0 %"),
    notices.CanaryLeft: Mark("note", "canary {0.number} left"),
    notices.RolledBack: Mark("warn", "back to release {0.number}"),
    notices.TookOver: Mark("bad", "back to release {0.number}"),
    notices.CannotLoad: Mark("bad", "a worker of release {0.number} cannot load the app"),
    notices.OtherCode: Mark("warn", "release {0.number} has other code"),
    notices.ReleaseDropped: Mark("bad", "release {0.number} dropped"),
    notices.Restarting: Mark("bad", "{0.name} ended ({0.code})"),
    notices.Recovered: Mark("good", "{0.name} is back"),
    notices.Stuck: Mark("bad", "{0.name} did not become well"),
    notices.ServerOut: Mark("bad", "server {0.name} out"),
    notices.ServerBack: Mark("good", "server {0.name} back"),
    notices.ServerDrained: Mark("note", "server {0.name} drained"),
    notices.LastServer: Mark("bad", "server {0.name} fails, the last one"),
    notices.CertificateServed: Mark("good", "new certificate"),
    notices.CertificateFailed: Mark("bad", "no new certificate"),
    notices.CertificateRefused: Mark("bad", "certificate files refused"),
    notices.CertificateNotServed: Mark("bad", "wrong certificate at {0.address}"),
    notices.CertificateEnds: Mark("bad", "the certificate ends soon"),
    notices.NoServer: Mark("bad", "no server answers well"),
    notices.OldWorkerEnded: Mark("warn", "an old nginx worker ended, its transfers cut"),
    notices.DiskFull: Mark("bad", "the disk is full"),
    notices.DiskBack: Mark("good", "the disk has room again"),
}
"""`text` is a format of the notice."""
