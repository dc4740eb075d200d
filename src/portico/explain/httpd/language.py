"""httpd's configurations, in the form of `explain.language`."""

from __future__ import annotations

import re
from collections.abc import Mapping

from portico.explain.httpd.adopt.adopt import adopted
from portico.explain.httpd.change import argv, changed, moved
from portico.explain.httpd.effect import in_force, notes
from portico.explain.httpd.files import MAINS
from portico.explain.httpd.findings import findings
from portico.explain.httpd.match import ends, hides, levels, page, verdict
from portico.explain.httpd.names import MODULE_OF
from portico.explain.httpd.read import read, read_partly
from portico.explain.httpd.sandbox import SANDBOX
from portico.explain.httpd.servers import names_of, ports, title
from portico.explain.httpd.sources import PROXIES, REDIRECTS, WSGI
from portico.explain.httpd.traced import files, member
from portico.explain.httpd.words import words
from portico.explain.httpd.written import alone, head
from portico.explain.language import Language, Setting
from portico.explain.node import Node
from portico.explain.verdict import Verdict

_NAMES = "|".join(sorted(MODULE_OF))


def detours(_found: Verdict) -> Mapping[str, Node]:
    """None: httpd answers from the line that its rules choose."""
    return {}


HTTPD = Language(
    name="apache",
    main="httpd.conf",
    mains=(*MAINS, "conf/httpd.conf"),
    recognised=re.compile(rf"^[ \t]*(?:</?(?:{_NAMES})\b.*>|(?:{_NAMES})[ \t].*[^;{{\s])\s*$", re.MULTILINE),
    read=read,
    read_partly=read_partly,
    adopted=adopted,
    alone=alone,
    quoted=head,
    shown=head,
    title=title,
    tables=(),
    words=words,
    findings=findings,
    notes=notes,
    in_force=in_force,
    names=names_of,
    ports=ports,
    verdict=verdict,
    ends=ends,
    levels=levels,
    settings={
        Setting.ANSWER: (*REDIRECTS, "RewriteRule"),
        Setting.BODY_SIZE: ("LimitRequestBody",),
        Setting.BUFFERS: ("ProxyIOBufferSize", "ProxyReceiveBufferSize"),
        Setting.CACHE: ("CacheEnable",),
        Setting.CLIENT_CERTIFICATE: ("SSLVerifyClient",),
        Setting.COMPRESSION: ("AddOutputFilterByType", "SetOutputFilter", "FilterChain"),
        Setting.CONNECTIONS: (),
        Setting.FILES: ("Alias", "AliasMatch", "DocumentRoot"),
        Setting.HEAD_BUFFER: ("ProxySet",),
        Setting.HEAD_SIZE: ("LimitRequestFieldSize", "LimitRequestLine", "LimitRequestFields"),
        Setting.NEXT_SERVER: ("ProxySet", "BalancerMember"),
        Setting.ODD_NAMES: ("HttpProtocolOptions",),
        Setting.PASSED_HEADERS: ("RequestHeader",),
        Setting.RATE: (),
        Setting.TIMEOUT: ("ProxyTimeout", "Timeout"),
        Setting.UPSTREAM: (*PROXIES, *WSGI, "SetHandler"),
    },
    files=files,
    member=member,
    detours=detours,
    page=page,
    hides=hides,
    changed=changed,
    moved=moved,
    argv=argv,
    only_reads=("-t",),
    sandbox=SANDBOX,
)  # fmt: skip
