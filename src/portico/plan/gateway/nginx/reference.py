"""The page of nginx's manual for each directive that Portico writes."""

from __future__ import annotations

MANUAL = "https://nginx.org/en/docs/"

_CORE_HTTP = "http/ngx_http_core_module.html"
_CACHE = (
    "cache", "cache_path", "cache_key", "cache_bypass", "no_cache", "cache_use_stale", "cache_background_update",
    "cache_revalidate", "cache_valid", "cache_lock", "cache_lock_timeout", "cache_lock_age",
    "pass_header",
)  # fmt: skip
"""What the modules of the three link protocols have in common."""
_PAGES: dict[str, tuple[str, ...]] = {
    "ngx_core_module.html": (
        "user", "worker_processes", "worker_rlimit_nofile", "worker_shutdown_timeout", "pid", "error_log",
        "daemon", "events", "worker_connections", "include", "load_module", "pcre_jit",
    ),
    _CORE_HTTP: (
        "http", "server", "server_name", "listen", "location", "alias", "root", "types", "default_type",
        "sendfile", "tcp_nopush", "keepalive_timeout",
        "keepalive_min_timeout", "client_header_timeout", "client_body_timeout", "send_timeout",
        "reset_timedout_connection", "limit_rate", "client_max_body_size", "client_body_temp_path",
        "client_body_buffer_size", "large_client_header_buffers", "request_pool_size",
        "server_tokens", "underscores_in_headers", "merge_slashes", "absolute_redirect",
        "error_page", "recursive_error_pages", "internal",
        "disable_symlinks", "log_not_found", "try_files", "etag", "types_hash_max_size",
        "server_names_hash_bucket_size", "server_names_hash_max_size", "variables_hash_max_size",
        "variables_hash_bucket_size",
        "resolver", "open_file_cache", "open_file_cache_valid",
        "open_file_cache_errors", "if_modified_since", "client_body_in_file_only",
    ),
    "http/ngx_http_uwsgi_module.html": (
        "uwsgi_pass", "uwsgi_param", "uwsgi_read_timeout", "uwsgi_send_timeout", "uwsgi_connect_timeout",
        "uwsgi_buffers", "uwsgi_buffer_size", "uwsgi_busy_buffers_size", "uwsgi_temp_path",
        "uwsgi_hide_header", "uwsgi_next_upstream", "uwsgi_next_upstream_tries",
        "uwsgi_next_upstream_timeout", "uwsgi_intercept_errors", "uwsgi_max_temp_file_size",
        "uwsgi_buffering", "uwsgi_pass_request_body", "uwsgi_pass_request_headers",
        "uwsgi_ignore_headers",
    ),
    "http/ngx_http_proxy_module.html": (
        "proxy_pass", "proxy_method", "proxy_temp_path", "proxy_set_header", "proxy_http_version", "proxy_read_timeout",
        "proxy_send_timeout", "proxy_connect_timeout", "proxy_buffers", "proxy_buffer_size", "proxy_busy_buffers_size",
        "proxy_hide_header", "proxy_intercept_errors", "proxy_next_upstream", "proxy_next_upstream_tries",
        "proxy_redirect", "proxy_pass_request_body", "proxy_next_upstream_timeout", "proxy_ssl_verify",
        "proxy_ignore_client_abort",
        "proxy_max_temp_file_size", "proxy_buffering",
        "proxy_ssl_trusted_certificate", "proxy_ssl_verify_depth", "proxy_ssl_name", "proxy_ssl_server_name",
        "proxy_cache_convert_head", "proxy_pass_request_headers", "proxy_ignore_headers",
        "proxy_headers_hash_max_size", "proxy_headers_hash_bucket_size",
    ),
    "http/ngx_http_fastcgi_module.html": (
        "fastcgi_temp_path", "fastcgi_pass", "fastcgi_param", "fastcgi_read_timeout", "fastcgi_send_timeout",
        "fastcgi_connect_timeout", "fastcgi_buffers", "fastcgi_buffer_size", "fastcgi_busy_buffers_size",
        "fastcgi_hide_header",
        "fastcgi_next_upstream", "fastcgi_next_upstream_tries", "fastcgi_next_upstream_timeout",
        "fastcgi_max_temp_file_size", "fastcgi_buffering", "fastcgi_intercept_errors", "fastcgi_pass_request_body",
        "fastcgi_pass_request_headers", "fastcgi_ignore_headers",
    ),
    "http/ngx_http_scgi_module.html": ("scgi_temp_path",),
    "http/ngx_http_upstream_module.html": (
        "upstream", "zone", "least_conn", "least_time", "ip_hash", "hash", "random", "sticky",
    ),
    "http/ngx_http_gzip_module.html": (
        "gzip", "gzip_comp_level", "gzip_min_length", "gzip_vary", "gzip_proxied", "gzip_types",
    ),
    "http/ngx_http_log_module.html": ("log_format", "access_log"),
    "http/ngx_http_split_clients_module.html": ("split_clients",),
    "http/ngx_http_mirror_module.html": ("mirror", "mirror_request_body"),
    "http/ngx_http_empty_gif_module.html": ("empty_gif",),
    "http/ngx_http_map_module.html": ("map", "map_hash_bucket_size", "map_hash_max_size"),
    "http/ngx_http_geo_module.html": ("geo",),
    "http/ngx_http_realip_module.html": ("set_real_ip_from", "real_ip_header", "real_ip_recursive"),
    "http/ngx_http_limit_req_module.html": (
        "limit_req", "limit_req_zone", "limit_req_status", "limit_req_dry_run",
    ),
    "http/ngx_http_limit_conn_module.html": (
        "limit_conn", "limit_conn_zone", "limit_conn_status", "limit_conn_dry_run",
    ),
    "http/ngx_http_headers_module.html": ("add_header", "add_header_inherit"),
    "http/ngx_http_charset_module.html": ("charset", "charset_types"),
    "http/ngx_http_rewrite_module.html": ("return", "if", "rewrite", "set", "break"),
    "http/ngx_http_auth_basic_module.html": ("auth_basic", "auth_basic_user_file"),
    "http/ngx_http_access_module.html": ("allow", "deny"),
    "http/ngx_http_auth_request_module.html": ("auth_request", "auth_request_set",),
    "http/ngx_http_ssl_module.html": (
        "ssl_certificate", "ssl_certificate_key", "ssl_protocols", "ssl_ciphers", "ssl_prefer_server_ciphers",
        "ssl_ecdh_curve", "ssl_session_cache", "ssl_session_timeout", "ssl_session_tickets", "ssl_reject_handshake",
        "ssl_client_certificate", "ssl_verify_client", "ssl_verify_depth",
    ),
    "http/ngx_http_v2_module.html": ("http2",),
    "http/ngx_http_v3_module.html": ("http3",),
    "http/ngx_http_secure_link_module.html": ("secure_link", "secure_link_md5"),
    "http/ngx_http_ssi_module.html": ("ssi", "ssi_types"),
}  # fmt: skip
_OF_USERS = frozenset({
    "client_header_buffer_size", "early_hints", "expires", "keepalive_requests", "limit_req_log_level",
    "lingering_close", "max_headers", "port_in_redirect", "server_name_in_redirect", "ssi_silent_errors",
    "tcp_nodelay", "uwsgi_request_buffering",
})  # fmt: skip
"""Directives that only users write. A line of theirs holds for their site alone, also where several share nginx."""

PAGE_OF = {name: page for page, names in _PAGES.items() for name in names}
PAGE_OF |= {
    f"{link}_{name}": f"http/ngx_http_{link}_module.html"
    for link in ("uwsgi", "proxy", "fastcgi")
    for name in _CACHE
}


def is_known(name: str) -> bool:
    """Whether Portico knows this directive: one that it writes, or one of a user's that a server may have."""
    return name in PAGE_OF or name in _OF_USERS


def link(name: str) -> str:
    """The manual's entry for a directive. Raises KeyError for one without a page above."""
    return f"{MANUAL}{PAGE_OF[name]}#{name}"
