"""Events while the site ran, as a word or two on a time axis."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from portico.protocol import notices
from portico.protocol.feed import Mark
from portico.protocol.notices import Notice


class _Words(NamedTuple):
    """`level` as in `Mark`; `text` is a format of the notice."""

    level: str
    text: str


def mark(item: Notice, at: float) -> Mark | None:
    """The mark of a notice at that Unix time; None if it has none."""
    found = MARKS.get(type(item))
    return found and Mark(round(at, 2), type(item).__name__, found.level, found.text.format(item))


MARKS: Mapping[type[Notice], _Words] = {
    notices.Ready: _Words("note", "serving"),
    notices.Switched: _Words("good", "release {0.number} serves"),
    notices.CanaryServes: _Words("note", "release {0.number} gets {0.tenths}0 %"),
    notices.CanaryLeft: _Words("note", "canary {0.number} left"),
    notices.RolledBack: _Words("warn", "back to release {0.number}"),
    notices.TookOver: _Words("bad", "back to release {0.number}"),
    notices.CannotLoad: _Words("bad", "a worker of release {0.number} cannot load the app"),
    notices.OtherCode: _Words("warn", "release {0.number} has other code"),
    notices.ReleaseDropped: _Words("bad", "release {0.number} dropped"),
    notices.NotConcluded: _Words("bad", "the command after release {0.number} failed"),
    notices.Restarting: _Words("bad", "{0.name} ended ({0.code})"),
    notices.Recovered: _Words("good", "{0.name} is back"),
    notices.Stuck: _Words("bad", "{0.name} did not become healthy"),
    notices.ServerOut: _Words("bad", "server {0.name} out"),
    notices.ServerBack: _Words("good", "server {0.name} back"),
    notices.ServersMoved: _Words("note", "servers moved"),
    notices.ServerDrained: _Words("note", "server {0.name} drained"),
    notices.LastServer: _Words("bad", "server {0.name} fails, the last one"),
    notices.CertificateServed: _Words("good", "new certificate"),
    notices.CertificateFailed: _Words("bad", "no new certificate"),
    notices.CertificateRefused: _Words("bad", "certificate files refused"),
    notices.CertificateNotServed: _Words("bad", "wrong certificate at {0.address}"),
    notices.CertificateEnds: _Words("bad", "the certificate ends soon"),
    notices.NoServer: _Words("bad", "no server is healthy"),
    notices.OldWorkerEnded: _Words("warn", "an old nginx worker ended, its transfers cut"),
    notices.PassesAsked: _Words("warn", "costly routes ask for a pass"),
    notices.PassesNotAsked: _Words("good", "costly routes ask for no pass"),
    notices.DiskFull: _Words("bad", "the disk is full"),
    notices.DiskBack: _Words("good", "the disk has room again"),
}
