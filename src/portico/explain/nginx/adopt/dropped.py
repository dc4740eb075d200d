"""Directives whose work Portico does itself, with the reason, by name or by pattern."""

from __future__ import annotations

import re

from portico.explain.adopted import Fate

_B, _I = Fate.BUILT_IN, Fate.IMPROVED
_REASONS: tuple[tuple[tuple[str, ...], Fate, str], ...] = (
    ((
        r"worker_\w+", r"events", r"multi_accept", r"use", r"pcre_jit", r"daemon", r"master_process",
        r"thread_pool", r"timer_resolution", r"accept_mutex\w*",
     ), _B,
     "Portico sizes nginx's processes and connections"),
    ((
        r"user", r"pid", r"lock_file", r"working_directory", r"debug_\w+",
     ), _B,
     "Portico runs nginx in directories of its own"),
    ((
        r"sendfile\w*", r"tcp_no\w+", r"aio\w*", r"directio\w*", r"output_buffers", r"read_ahead",
        r"open_file_cache\w*", r"postpone_output",
     ), _B,
     "Portico sets how files are sent"),
    ((
        r"types", r"types_hash\w+", r"default_type", r"charset\w*",
     ), _B,
     "Portico has its own list of types, with UTF-8"),
    ((
        r"\w+_hash_(?:max|bucket)_size",
     ), _B,
     "Portico sizes nginx's tables"),
    ((
        r"keepalive\w*", r"client_header_\w+", r"client_body_\w+", r"send_timeout",
        r"reset_timedout_connection", r"lingering\w+", r"large_client_header_buffers",
        r"connection_pool_size", r"request_pool_size",
     ), _B,
     "Portico limits slow clients, and accepts heads of 56 KiB"),
    ((
        r"gzip\w*", r"brotli\w*", r"zstd\w*", r"gunzip\w*",
     ), _I,
     "Portico compresses: answers with gzip, static files also with brotli and zstd, once"),
    ((
        r"server_tokens", r"server_name_in_redirect", r"port_in_redirect", r"absolute_redirect", r"etag",
        r"if_modified_since", r"max_ranges", r"log_subrequest",
     ), _B,
     "Portico sets it"),
    ((
        r"ssl_ciphers", r"ssl_prefer_server_ciphers", r"ssl_ecdh_curve", r"ssl_conf_command",
        r"ssl_session_\w+", r"ssl_buffer_size", r"ssl_early_data", r"ssl_dhparam", r"ssl_certificate_key",
        r"ssl_certificate", r"ssl_trusted_certificate", r"ssl_client_certificate", r"ssl_verify_depth",
     ), _B,
     "Mozilla's profile: [https] profile"),
    ((
        r"ssl_stapling\w*",
     ), _I,
     "certificate authorities end OCSP: Let's Encrypt has no responder any more"),
    ((
        r"ssl",
     ), _I,
     "the directive is gone since nginx 1.25.1: it stands in listen"),
    ((
        r"http2", r"http2_\w+", r"http3\w*", r"quic_\w+",
     ), _B,
     "[https] http2: on unless this nginx has a severe fault in it"),
    ((
        r"access_log", r"error_log", r"log_format", r"log_not_found", r"rewrite_log",
        r"open_log_file_cache",
     ), _I,
     "Portico logs one line a request, with the app's part, and rotates it: [log]"),
    ((
        r"real_ip_\w+", r"set_real_ip_from",
     ), _B,
     "see behind"),
    ((

        r"(?:proxy|uwsgi|fastcgi)_(?:buffers|buffer_size|busy_buffers_size|temp_\w+|max_temp_file_size|headers_hash_\w+|send_lowat|limit_rate|socket_keepalive|request_buffering|force_ranges|http_version|connect_timeout|send_timeout|redirect)",
     ), _B,
     "Portico sets how requests and answers travel to the app"),
    ((
        r"(?:proxy|uwsgi|fastcgi)_next_upstream\w*",
     ), _I,
     "a GET is tried on another server, and a POST that was sent never twice"),
    ((

        r"(?:proxy|uwsgi|fastcgi)_(?:cache_path|cache_key|cache_lock\w*|cache_use_stale|cache_background_update|cache_revalidate|cache_methods|cache_min_uses|ignore_headers|cache_max_range_offset)",
     ), _I,
     "Portico's cache asks the app once for many, and serves a stale answer in a failure"),
    ((
        r"resolver\w*",
     ), _B,
     "Portico asks the name servers of /etc/resolv.conf: [upstream] resolver"),
    ((
        r"limit_req_(?:status|log_level)", r"limit_conn_(?:status|log_level)", r"limit_zone",
     ), _B,
     "Portico makes its own, with 429"),
    ((
        r"limit_(?:req|conn)_dry_run",
     ), _B,
     "see limits.dry_run"),
    ((
        r"map", r"limit_(?:req|conn)_zone", r"geo", r"split_clients", r"upstream", r"server", r"location", r"include",
        r"listen", r"server_name", r"index", r"root", r"return", r"http", r"allow", r"deny",
     ), _B,
     ""),
    ((
        r"disable_symlinks", r"autoindex\w*", r"msie_\w+", r"chunked_transfer_encoding", r"merge_slashes",
        r"satisfy",
     ), _B,
     "Portico has its own rule"),
    ((
        r"underscores_in_headers", r"ignore_invalid_headers",
     ), _I,
     "headers with an underscore never reach the app: SCRIPT_NAME and the like would be forged with them"),
    ((
        r"proxy_ssl_(?:server_name|verify\w*|session_reuse|protocols|ciphers)",
     ), _I,
     "a server that speaks HTTPS must prove its name: [upstream] tls_name and ca"),
    ((
        r"variables_hash\w*", r"subrequest_output_buffer_size", r"recursive_error_pages",
        r"uninitialized_variable_warn",
     ), _B,
     "Portico sets it"),
    ((
        r"health_check", r"zone", r"state", r"stub_status", r"status_zone",
     ), _I,
     "portico status and portico metrics have it"),
)  # fmt: skip
_TABLE = tuple((re.compile("|".join(names)), fate, why) for names, fate, why in _REASONS)


def dropped(name: str) -> tuple[Fate, str] | None:
    """The fate and the reason; None for a directive that Portico does not replace. The reason may be empty."""
    return next(((fate, why) for names, fate, why in _TABLE if names.fullmatch(name)), None)
