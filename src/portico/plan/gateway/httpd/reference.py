"""The page of httpd's manual for each directive that Portico writes."""

from __future__ import annotations

MANUAL = "https://httpd.apache.org/docs/2.4/mod/"

_PAGES: dict[str, tuple[str, ...]] = {
    "mod_so.html": ("LoadModule",),
    "core.html": (
        "Define", "DefaultRuntimeDir", "ServerName", "ServerTokens", "ServerSignature", "TraceEnable", "ErrorLog",
        "ErrorLogFormat",
        "LogLevel", "Timeout", "KeepAlive", "KeepAliveTimeout", "MaxKeepAliveRequests",
        "LimitRequestLine", "LimitRequestFieldSize", "LimitRequestFields", "LimitRequestBody", "HttpProtocolOptions",
        "UseCanonicalName", "UseCanonicalPhysicalPort", "AllowEncodedSlashes", "MergeSlashes", "VirtualHost",
        "Location", "LocationMatch", "Directory", "Files", "If", "Options", "AllowOverride", "ErrorDocument",
        "FileETag", "EnableMMAP", "Include", "Protocols", "AcceptPathInfo",
        "ServerAlias", "SetOutputFilter",
    ),
    "mpm_common.html": (
        "Listen", "ListenBackLog", "PidFile", "StartServers", "ServerLimit", "ThreadsPerChild", "ThreadLimit",
        "MaxRequestWorkers", "MinSpareThreads", "MaxSpareThreads", "MaxConnectionsPerChild",
    ),
    "mod_unixd.html": ("User", "Group"),
    "mod_log_config.html": ("LogFormat", "CustomLog"),
    "mod_headers.html": ("Header", "RequestHeader"),
    "mod_setenvif.html": ("SetEnvIf", "SetEnvIfNoCase", "SetEnvIfExpr"),
    "mod_rewrite.html": ("RewriteEngine", "RewriteCond", "RewriteRule"),
    "mod_authz_core.html": ("Require",),
    "mod_authn_core.html": ("AuthType", "AuthName"),
    "mod_authn_file.html": ("AuthUserFile",),
    "mod_auth_basic.html": ("AuthBasicProvider",),
    "mod_env.html": ("SetEnv",),
    "mod_mime.html": ("TypesConfig", "AddType", "AddCharset", "AddOutputFilter"),
    "mod_filter.html": ("FilterDeclare", "FilterProvider", "FilterChain"),
    "mod_deflate.html": ("DeflateCompressionLevel", "DeflateAlterETag"),
    "mod_brotli.html": ("BrotliCompressionQuality", "BrotliAlterETag"),
    "mod_dir.html": ("DirectoryIndex",),
    "mod_reqtimeout.html": ("RequestReadTimeout",),
    "mod_proxy.html": (
        "Proxy", "ProxyPassMatch", "BalancerMember", "ProxySet", "ProxyRequests", "ProxyVia", "ProxyPreserveHost",
        "ProxyAddHeaders", "ProxyErrorOverride", "ProxyPassInterpolateEnv",
    ),
    "mod_proxy_fcgi.html": ("ProxyFCGISetEnvIf",),
    "mod_remoteip.html": (
        "RemoteIPHeader", "RemoteIPInternalProxy", "RemoteIPProxyProtocol", "RemoteIPProxyProtocolExceptions",
    ),
    "mod_ssl.html": (
        "SSLEngine", "SSLCertificateFile", "SSLProtocol", "SSLCipherSuite", "SSLHonorCipherOrder",
        "SSLOpenSSLConfCmd", "SSLSessionCache", "SSLSessionCacheTimeout", "SSLSessionTickets", "SSLCACertificateFile",
        "SSLVerifyClient", "SSLVerifyDepth", "SSLOptions", "SSLProxyEngine", "SSLProxyProtocol", "SSLProxyVerify",
        "SSLProxyVerifyDepth", "SSLProxyCACertificateFile", "SSLProxyCheckPeerName", "SSLProxyCheckPeerExpire",
    ),
}  # fmt: skip

PAGE_OF = {name: page for page, names in _PAGES.items() for name in names}


def link(name: str) -> str:
    """The manual's entry for a directive. Raises KeyError for one without a page above."""
    return f"{MANUAL}{PAGE_OF[name]}#{name.lower()}"
