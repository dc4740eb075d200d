"""Abilities that not every gateway, or not every build of one, has. A decision that needs one says so."""

from __future__ import annotations

from enum import StrEnum


class Ability(StrEnum):
    """An ability that not every gateway has."""

    TLS = "speaks HTTPS"
    HTTP2 = "speaks HTTP/2"
    SAFE_HTTP2 = "has no severe published fault that HTTP/2 would open"
    HTTP2_BY_SITE = "decides for each site of an address whether HTTP/2 is on"
    HTTP3 = "speaks HTTP/3, over UDP"
    KEEPS_IDLE = "keeps idle connections open while it reads a changed configuration"
    HEALTH = "asks the app in a subrequest, so that it can answer the health path in words of its own"
    EVERY_LINE = "reads every line of Vary and of Cache-Control in the head of an answer"
    LEAST_TIME = "gives a request to the server that is fastest to answer"
    STICKY = "brings a client back to its server by a cookie"
    WAF = "compares requests with rules of known attacks"
    FOLLOWS_NAMES = "looks up the names of servers again while it runs"
    SIGNED = "verifies what is signed, for the passes of the challenge"
    CACHE = "keeps answers of the app that may be public"
    DOWNLOADS = "sends the files that the app opens"
    ROUTES = "sends requests to other sites and servers, by rules"
    FENCES = "follows no link in a folder, also where one is put after the look at it"
    CLEARS_HEADERS = "leaves out headers that it would send by itself"
