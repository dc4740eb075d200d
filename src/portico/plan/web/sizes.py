"""Capacity of the gateway's workers: connections, files, requests of one client, bytes on disk."""

from __future__ import annotations

import math

from portico.place.model import Place
from portico.plan.subjects import OldWorkers

_CONNECTIONS = 4096
"""Connections of a worker if the file limit allows it; Passenger's default, https://www.phusionpassenger.com/docs/"""
_MOST_CONNECTIONS = 16384
"""The gateway allocates all of them at its start, nginx 0.4 KiB each; one worker served 10 000 slow clients."""
_MEMORY_A_CONNECTION = 20 << 10
"""Bytes of a half-sent head; 14 KiB were measured, docs/capacity.md."""
_SHARE_OF_MEMORY = 4
"""Connections may take a quarter of the memory."""
FILES_PER_CONNECTION = 2
"""The client's or the app's socket, and a file: the one that is sent, or that contains a body or an answer."""
CONNECTIONS_PER_REQUEST = 2
"""The client's socket and the app's."""
_OTHERS = 64
"""Logs, listening sockets, files of libraries."""
_LEAST_SHARE = 128
"""Requests in progress of a page with many images over HTTP/2, or of a small office."""
_MEMORY_A_THREAD = 64 << 10
"""54 kB were measured for each open event stream (`python -m bench.bodies`)."""
_LEAST_LASTING = 256
_SHARE_OF_DISK = 4
_LEAST_UPLOADS = 16
_MOST_ON_DISK, _LEAST_ON_DISK = 64 << 20, 256 << 10
"""The part of an answer that waits for a slow client: enough for nearly every page and export, more than the
gateway's buffers.
"""
_CONFIGURATIONS = 16
"""Previous configurations whose transfers may continue beside the current one."""
_OLD_SHARE_OF_MEMORY = 8


def old_workers(place: Place) -> OldWorkers:
    """How many old workers may finish their transfers: those of 16 configurations, in an eighth of the memory."""
    return OldWorkers(_CONFIGURATIONS * workers(place), place.memory // _OLD_SHARE_OF_MEMORY)


def connections(place: Place) -> int:
    """Connections of one worker, within the limits of files and memory."""
    by_files = place.file_limit // FILES_PER_CONNECTION - 64
    # A fifth of the files is for the caches of open files.
    roomy = (place.file_limit * 4 // 5 - _OTHERS) // FILES_PER_CONNECTION
    by_memory = place.memory // _SHARE_OF_MEMORY // _MEMORY_A_CONNECTION // workers(place)
    wanted = max(_CONNECTIONS, min(_MOST_CONNECTIONS, roomy, by_memory))
    return max(64, min(wanted, by_files))


def requests(place: Place) -> int:
    """Requests that all workers together can pass to the app."""
    return workers(place) * connections(place) // CONNECTIONS_PER_REQUEST


def share(place: Place) -> int:
    """Requests that one client address may have in progress: an eighth of all; more if that is little."""
    return max(requests(place) // 8, min(_LEAST_SHARE, requests(place) // 2))


def lasting(place: Place, app_workers: int) -> int:
    """Long-lived requests, each with its own thread, in one worker of the app."""
    by_memory = place.memory // _SHARE_OF_MEMORY // _MEMORY_A_THREAD // app_workers
    return min(connections(place) // CONNECTIONS_PER_REQUEST, max(_LEAST_LASTING, by_memory))


def answer_on_disk(place: Place) -> int:
    """Bytes of one answer that may wait on disk, a power of two: with every client slow, a quarter of the disk."""
    if not place.disk:
        return _MOST_ON_DISK
    each = place.disk // _SHARE_OF_DISK // requests(place)
    return max(_LEAST_ON_DISK, min(_MOST_ON_DISK, 1 << max(0, each.bit_length() - 1)))


def uploads(place: Place, largest: int) -> int:
    """Requests with a body of up to `largest` bytes that one client address may have in progress.

    Together they fit a thirty-second of the disk; the number that a page of photos sends always passes.
    """
    if not place.disk or not largest:
        return share(place)
    return min(share(place), max(_LEAST_UPLOADS, place.disk // 32 // largest))


def spare_files(place: Place) -> int:
    """Files that a worker may cache open beside those of its connections."""
    return place.file_limit - FILES_PER_CONNECTION * connections(place) - _OTHERS


def workers(place: Place) -> int:
    """The gateway's workers: one for each CPU that this machine really provides."""
    return math.ceil(place.cpus)
