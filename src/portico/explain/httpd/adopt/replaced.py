"""Directives whose work Portico does itself, with the reason, by pattern."""

from __future__ import annotations

import re

from portico.explain.adopted import Fate

_B, _I = Fate.BUILT_IN, Fate.IMPROVED
_REASONS: tuple[tuple[tuple[str, ...], Fate, str], ...] = (
    ((
        r"ServerName", r"ServerAlias", r"Listen", r"Include\w*", r"Define", r"UnDefine", r"Use", r"\w*Macro",
        r"DocumentRoot", r"WSGIProcessGroup", r"RewriteEngine", r"RewriteCond", r"RewriteOptions", r"ProxyRequests",
        r"SSLEngine", r"SSLCertificateFile", r"SSLCertificateKeyFile", r"WSGICallableObject", r"FallbackResource",
     ), _B,
     ""),
    ((
        r"LoadModule", r"LoadFile", r"ServerRoot", r"User", r"Group", r"PidFile", r"Mutex", r"DefaultRuntimeDir",
        r"ScoreBoardFile", r"CoreDumpDirectory", r"NameVirtualHost", r"AccessFileName", r"HostnameLookups",
        r"UseCanonical\w+", r"WSGI(?:Python\w+|SocketPrefix|ApplicationGroup|Script\w+|Import\w+|Lazy\w+)",
     ), _B,
     "Portico runs the web server and the app in directories of its own"),
    ((
        r"StartServers", r"ServerLimit", r"MaxRequestWorkers", r"MaxClients", r"ThreadsPerChild", r"ThreadLimit",
        r"\w+SpareThreads", r"\w+SpareServers", r"MaxConnectionsPerChild", r"MaxRequestsPerChild", r"Listen\w+",
        r"AsyncRequestWorkerFactor",
     ), _B,
     "Portico sizes processes and connections"),
    ((
        r"KeepAlive\w*", r"MaxKeepAliveRequests", r"RequestReadTimeout", r"LimitRequest(?:Line|Fields|FieldSize)",
        r"HttpProtocolOptions", r"LimitXMLRequestBody",
     ), _B,
     "Portico limits slow clients, and accepts heads of 56 KiB"),
    ((
        r"ServerAdmin", r"ServerSignature", r"ServerTokens", r"TraceEnable", r"FileETag", r"EnableSendfile",
        r"EnableMMAP", r"Add(?:DefaultCharset|Type|Encoding|Charset|Language|Icon\w*|Handler)", r"TypesConfig",
        r"Directory(?:Index|Slash)", r"IndexOptions", r"DefaultIcon", r"AllowEncodedSlashes", r"MergeSlashes",
        r"AcceptPathInfo", r"SSLRandomSeed", r"LanguagePriority", r"ForceLanguagePriority", r"IndexIgnore",
        r"ReadmeName", r"HeaderName",
     ), _B,
     "Portico sets it, and passes paths on byte for byte"),
    ((
        r"ErrorLog\w*", r"CustomLog", r"TransferLog", r"LogFormat", r"LogLevel", r"GlobalLog", r"LogIOTrackTTFB",
     ), _I,
     "Portico logs one line a request, with the app's part, and rotates it: [log]"),
    ((
        r"Deflate\w+", r"Brotli\w+", r"Filter\w+", r"SetOutputFilter", r"AddOutputFilter\w*",
     ), _I,
     "Portico compresses: answers with gzip, static files also with brotli and zstd, once"),
    ((
        r"Expires\w+",
     ), _I,
     "static files get the right times; the app decides how long its pages may be stored"),
    ((
        r"SSLStapling\w*", r"SSLUseStapling",
     ), _I,
     "certificate authorities end OCSP: Let's Encrypt has no responder any more"),
    ((
        r"SSLProxy\w+",
     ), _I,
     "a server that speaks HTTPS must prove its name: [upstream] tls_name and ca"),
    ((
        r"SSL\w+",
     ), _B,
     "Mozilla's profile: [https] profile"),
    ((
        r"Protocols\w*", r"H2\w+",
     ), _B,
     "[https] http2: on unless this nginx has a severe fault in it"),
    ((
        r"ProxyPassReverse\w*",
     ), _B,
     "the app knows its own address, so its redirects and cookies need no correction"),
    ((
        r"Proxy(?:PreserveHost|AddHeaders|Via|Status|IOBufferSize|ReceiveBufferSize|BadHeader|100Continue)",
        r"Proxy(?:MaxForwards|WebsocketFallbackToProxyHttp|FCGI\w+)",
     ), _B,
     "the app gets host, scheme and client from the gateway alone"),
    ((
        r"ProxyErrorOverride", r"ErrorDocument",
     ), _I,
     "Portico's own pages say what happened, and have the request's ID; [errors] pages takes yours"),
    ((
        r"Cache\w+",
     ), _I,
     "Portico's cache asks the app once for many, and serves a stale answer in a failure: [cache]"),
    ((
        r"WSGIPassAuthorization",
     ), _B,
     "the app gets Authorization"),
    ((
        r"BrowserMatch\w*", r"SetEnvIf\w*",
     ), _B,
     "its variables steer httpd alone"),
    ((
        r"ExtendedStatus", r"SeeRequestTail",
     ), _I,
     "portico status and portico metrics have its numbers, and more"),
    ((
        r"Sec(?:Audit|Request|Response|Tmp|Data|Default|Debug|Upload|Collection|Argument|Cookie|Unicode|Pcre)\w*",
     ), _B,
     "see guard.waf"),
    ((
        r"RemoteIP\w+",
     ), _B,
     "see behind"),
    ((
        r"MD\w+",
     ), _I,
     "with email, Portico orders and renews certificates itself"),
)  # fmt: skip
_TABLE = tuple((re.compile("|".join(names)), fate, why) for names, fate, why in _REASONS)


def replaced(name: str) -> tuple[Fate | None, str]:
    """The fate and the reason, which may be empty; no fate for a directive that Portico does not replace."""
    return next(((fate, why) for names, fate, why in _TABLE if names.fullmatch(name)), (None, ""))
