"""For each code of a finding a configuration that has the fault, and a near twin that has not."""

from __future__ import annotations

from typing import NamedTuple

from portico.explain.finding import Backend
from portico.place.model import Build

NEW = Build("nginx", "/usr/sbin/nginx", (1, 31, 9))
OLD = Build("nginx", "/usr/sbin/nginx", (1, 22, 1))
SLOW_APP = (Backend("gunicorn.conf.py:3", timeout=120, largest_body=64 * 1024 * 1024),)


class Pair(NamedTuple):
    faulty: str
    right: str
    build: Build | None = None
    backends: tuple[Backend, ...] = ()


TOLD = """
proxy_set_header Host $host;
proxy_set_header X-Forwarded-For $remote_addr;
proxy_set_header X-Real-IP $remote_addr;
proxy_set_header X-Forwarded-Proto $scheme;
proxy_set_header X-Forwarded-Host $host;
"""
APP = "proxy_pass http://127.0.0.1:8000;"


def http(inside: str) -> str:
    return f"events {{}}\nhttp {{\nserver_tokens off;\ntypes {{ text/css css; }}\n{inside}\n}}\n"


def server(inside: str, beside: str = "", listen: str = "listen 80 default_server;") -> str:
    return http(f"{beside}\nserver {{\n{listen}\nserver_name shop.example;\n{inside}\n}}\n")


def app(inside: str, beside: str = "", at: str = "/") -> str:
    """A location that passes to the app with all it should be told."""
    return server(f"{TOLD}\nlocation {at} {{\n{APP}\n{inside}\n}}", beside)


def tls(inside: str) -> str:
    keys = "ssl_certificate /a.pem; ssl_certificate_key /a.key; ssl_session_tickets off;"
    return server(f"{keys}\n{inside}", listen="listen 443 ssl default_server;")


CACHE = "proxy_cache_path /var/cache/nginx/a keys_zone=a:1m max_size=1g;"
CACHED = "proxy_cache a; proxy_cache_lock on;"
GUARD = 'auth_basic "x"; auth_basic_user_file /p;'
UP = "upstream app { server 10.0.0.1:8000; keepalive 8; }"

PAIRS: dict[str, Pair] = {
    # access
    "allow-alone": Pair(app("allow 10.0.0.0/8;"), app("allow 10.0.0.0/8; deny all;")),
    "access-order": Pair(app("allow all; deny 192.0.2.1;"), app("deny 192.0.2.1; allow all;")),
    "satisfy-any": Pair(
        app(f"satisfy any; allow all; {GUARD}"), app(f"satisfy any; allow 10.0.0.0/8; deny all; {GUARD}")
    ),
    "return-before-access": Pair(
        server("location /a { deny all; return 200 secret; }"),
        server("location /a { deny all; return 404; }"),
    ),
    "access-exact": Pair(
        server(f"location = /admin {{ {GUARD} {APP} }} location / {{ {APP} }}"),
        server(f"location /admin {{ {GUARD} {APP} }} location / {{ {APP} }}"),
    ),
    "access-overtaken": Pair(
        server(
            f"root /srv/a; location /admin/ {{ {GUARD} }} location ~ \\.php$ {{ fastcgi_pass unix:/run/p; }}"
        ),
        server(
            f"root /srv/a; location ^~ /admin/ {{ {GUARD} }} location ~ \\.php$ {{ fastcgi_pass unix:/run/p; }}"
        ),
    ),
    "merge-slashes": Pair(
        server(f"merge_slashes off; location /admin/ {{ {GUARD} {APP} }} location / {{ {APP} }}"),
        server(f"location /admin/ {{ {GUARD} {APP} }}"),
    ),
    "access-case": Pair(
        server("location ~ \\.(sql|bak)$ { deny all; }"), server("location ~* \\.(sql|bak)$ { deny all; }")
    ),
    "not-internal": Pair(
        server("location /protected/ { alias /srv/files/; }"),
        server("location /protected/ { internal; alias /srv/files/; }"),
    ),
    "auth-request-open": Pair(
        app("auth_request /auth;").replace("location /", f"location = /auth {{ {APP} }} location /", 1),
        app("auth_request /auth;").replace(
            "location /", f"location = /auth {{ internal; {APP} }} location /", 1
        ),
    ),
    "status-open": Pair(
        server("location = /s { stub_status; }"),
        server("location = /s { stub_status; allow 127.0.0.1; deny all; }"),
    ),
    "password-http": Pair(app(GUARD), tls(f"{TOLD} location / {{ {APP} {GUARD} }}")),
    # cache
    "cache-private": Pair(
        app(f"{CACHED} proxy_ignore_headers Set-Cookie;", CACHE),
        app(f"{CACHED} proxy_ignore_headers Expires;", CACHE),
    ),
    "cache-everybody": Pair(
        app(f"{CACHED} proxy_cache_valid 200 10m;", CACHE),
        app(f"{CACHED} proxy_cache_valid 200 10m; proxy_no_cache $http_cookie;", CACHE),
    ),
    "cache-key-query": Pair(
        app(f"{CACHED} proxy_cache_key $host$uri;", CACHE),
        app(f"{CACHED} proxy_cache_key $host$request_uri;", CACHE),
    ),
    "cache-key-host": Pair(
        app(f"{CACHED} proxy_cache_key $request_uri;", CACHE).replace("shop.example", "a.example b.example"),
        app(f"{CACHED} proxy_cache_key $request_uri;", CACHE),
    ),
    "cache-unbounded": Pair(app(CACHED, CACHE.replace("max_size=1g", "")), app(CACHED, CACHE)),
    "cache-in-tmp": Pair(app(CACHED, CACHE.replace("/var/cache/nginx", "/tmp")), app(CACHED, CACHE)),
    "cache-herd": Pair(
        app("proxy_cache a; proxy_cache_valid 1m;", CACHE), app(f"{CACHED} proxy_cache_valid 1m;", CACHE)
    ),
    "cache-post": Pair(
        app(f"{CACHED} proxy_cache_methods GET POST;", CACHE),
        app(f"{CACHED} proxy_cache_methods GET HEAD;", CACHE),
    ),
    # conditions
    "if-in-location": Pair(
        app("if ($http_x_beta) { proxy_pass http://127.0.0.1:9000; }"),
        app("if ($http_x_beta) { return 302 /beta; }"),
    ),
    "if-try-files": Pair(
        server("root /srv/a; location / { if ($arg_a) { expires 1d; } try_files $uri =404; }"),
        server("root /srv/a; location / { if ($arg_a) { return 403; } try_files $uri =404; }"),
    ),
    "if-file": Pair(
        server("root /srv/a; location / { if (!-f $request_filename) { rewrite ^ /index.html last; } }"),
        server("root /srv/a; location / { try_files $uri /index.html; }"),
    ),
    "location-unreached": Pair(
        server("location ^~ /static/ { root /a; } location ~ ^/static/.*\\.css$ { expires 1d; }"),
        server("location /static/ { root /a; } location ~ ^/static/.*\\.css$ { expires 1d; }"),
    ),
    "duplicate-location": Pair(
        server("location /a { return 404; } location /a { return 403; }"),
        server("location /a { return 404; } location = /a { return 403; }"),
    ),
    # headers
    "add-header-lost": Pair(
        server("add_header X-Frame-Options DENY always; location /a/ { root /srv; add_header X-A 1; }"),
        server("add_header X-Frame-Options DENY always; location /a/ { root /srv; expires 1d; }"),
    ),
    "set-header-lost": Pair(app("proxy_set_header X-A 1;"), app("proxy_read_timeout 30s;")),
    "add-header-always": Pair(
        app("add_header X-Frame-Options DENY;"), app("add_header X-Frame-Options DENY always;")
    ),
    "hsts-http": Pair(
        app("add_header Strict-Transport-Security max-age=1 always;"),
        tls("add_header Strict-Transport-Security max-age=1 always;"),
    ),
    "cors-any": Pair(
        app("add_header Access-Control-Allow-Origin $http_origin;"),
        app(
            "add_header Access-Control-Allow-Origin $allowed;",
            "map $http_origin $allowed { https://a.example $http_origin; }",
        ),
    ),
    "cors-credentials": Pair(
        app("add_header Access-Control-Allow-Origin *; add_header Access-Control-Allow-Credentials true;"),
        app("add_header Access-Control-Allow-Origin *;"),
    ),
    "origin-pattern": Pair(
        app("if ($http_origin ~ shop\\.example) { return 204; }"),
        app('if ($http_origin ~ "^https://shop\\.example$") { return 204; }'),
    ),
    "header-dead": Pair(app("add_header X-XSS-Protection 1;"), app("add_header X-A 1;")),
    "app-expires": Pair(app("expires 30d;"), app("expires 30d;", at="/static/")),
    # hosts
    "no-default-server": Pair(
        server(f"location / {{ {APP} }}", listen="listen 80;"),
        server(
            f"location / {{ {APP} }}", "server { listen 80 default_server; return 444; }", listen="listen 80;"
        ),
    ),
    "duplicate-name": Pair(
        server(
            "return 404;", "server { listen 80; server_name shop.example; return 404; }", listen="listen 80;"
        ),
        server(
            "return 404;",
            "server { listen 8080; server_name shop.example; return 404; }",
            listen="listen 80;",
        ),
    ),
    "two-defaults": Pair(
        server("return 404;", "server { listen 80 default_server; return 444; }"),
        server("return 404;", "server { listen 81 default_server; return 444; }"),
    ),
    "plain-443": Pair(
        server(f"location / {{ {APP} }}", listen="listen 443;"), tls(f"location / {{ {APP} }}")
    ),
    "ipv6only-off": Pair(
        server("return 404;", listen="listen 80; listen [::]:80 ipv6only=off;"),
        server("return 404;", listen="listen 80; listen [::]:80;"),
    ),
    "no-ipv6": Pair(
        server("return 404;", listen="listen 80;"), server("return 404;", listen="listen 80; listen [::]:80;")
    ),
    "http-open": Pair(
        tls(f"location / {{ {APP} }}").replace("listen 443", "listen 80; listen 443"),
        tls(f"location / {{ {APP} }}").replace(
            "server {",
            "server { listen 80; server_name shop.example; return 308 https://$host$request_uri; }\nserver {",
            1,
        ),
    ),
    "redirect-post": Pair(
        server("return 301 https://$host$request_uri;"), server("return 308 https://$host$request_uri;")
    ),
    # injection
    "open-proxy": Pair(
        server("location / { proxy_pass http://$host$request_uri; }"),
        server("location / { proxy_pass http://127.0.0.1:8000; }"),
    ),
    "ssrf": Pair(
        server("location / { proxy_pass http://$arg_backend; }"),
        server(
            "location / { proxy_pass http://$backend; }",
            "map $arg_backend $backend { a 10.0.0.1; default 10.0.0.2; }",
        ),
    ),
    "no-resolver": Pair(
        server("set $backend app.internal; location / { proxy_pass http://$backend; }"),
        server("set $backend app.internal; resolver 127.0.0.53; location / { proxy_pass http://$backend; }"),
    ),
    "request-splitting": Pair(
        server("location / { proxy_pass http://127.0.0.1:8000$uri; }"),
        server("location / { proxy_pass http://127.0.0.1:8000$request_uri; }"),
    ),
    "header-splitting": Pair(
        server("return 302 https://shop.example$uri;"), server("return 302 https://shop.example$request_uri;")
    ),
    "open-redirect": Pair(
        server("location /go { return 302 $arg_to; }"), server("location /go { return 302 /a?to=$arg_to; }")
    ),
    # limits
    "limit-burst": Pair(
        app("limit_req zone=a;", "limit_req_zone $binary_remote_addr zone=a:1m rate=5r/s;"),
        app("limit_req zone=a burst=9;", "limit_req_zone $binary_remote_addr zone=a:1m rate=5r/s;"),
    ),
    "limit-key-forged": Pair(
        app("", "limit_req_zone $http_x_forwarded_for zone=a:1m rate=5r/s;"),
        app("", "limit_req_zone $binary_remote_addr zone=a:1m rate=5r/s;"),
    ),
    "limit-key-proxy": Pair(
        app(
            "if ($http_x_forwarded_proto = http) { return 404; }",
            "limit_req_zone $binary_remote_addr zone=a:1m rate=5r/s;",
        ),
        app(
            "if ($http_x_forwarded_proto = http) { return 404; }",
            "set_real_ip_from 10.0.0.1; limit_req_zone $binary_remote_addr zone=a:1m rate=5r/s;",
        ),
    ),
    "limit-status": Pair(app("limit_conn a 9;"), app("limit_conn a 9; limit_conn_status 429;")),
    "limit-zone-unknown": Pair(
        app("limit_conn a 9;"), app("limit_conn a 9;", "limit_conn_zone $binary_remote_addr zone=a:1m;")
    ),
    # pages
    "error-page-from-app": Pair(
        app("").replace("location /", "error_page 502 /50x.html; location /", 1),
        app("").replace(
            "location /", "error_page 502 /50x.html; location = /50x.html { root /e; } location /", 1
        ),
    ),
    "error-page-unseen": Pair(
        app("").replace("location /", "error_page 404 /404.html; location /", 1),
        app("proxy_intercept_errors on;").replace("location /", "error_page 404 /404.html; location /", 1),
    ),
    "intercept-unused": Pair(
        app("proxy_intercept_errors on;"), app("proxy_intercept_errors on; error_page 500 /500.html;")
    ),
    "error-page-200": Pair(
        server("root /a; error_page 404 =200 /404.html;"), server("root /a; error_page 404 /404.html;")
    ),
    "gzip-secrets": Pair(
        tls("gzip on; gzip_proxied auth; gzip_types application/json;"),
        tls("gzip on; gzip_proxied no-cache; gzip_types application/json;"),
    ),
    # process
    "worker-files": Pair(
        "events { worker_connections 4096; }",
        "worker_rlimit_nofile 8192; events { worker_connections 4096; }",
    ),
    "user-root": Pair("user root; events {}", "user www-data; events {}"),
    "master-off": Pair("master_process off; events {}", "master_process on; events {}"),
    "server-tokens": Pair(http("").replace("server_tokens off;", ""), http("")),
    "error-log-off": Pair("error_log off; events {}", "error_log /var/log/e.log crit; events {}"),
    "error-log-debug": Pair(
        "error_log /var/log/e.log debug; events {}", "error_log /var/log/e.log info; events {}"
    ),
    "log-secrets": Pair(
        http("log_format a '$remote_addr $http_cookie';"), http("log_format a '$remote_addr $http_referer';")
    ),
    # proxying
    "proxy-decodes": Pair(
        server("location / { proxy_pass http://127.0.0.1:5000/; }"),
        server("location / { proxy_pass http://127.0.0.1:5000; }"),
    ),
    "proxy-slash": Pair(
        server("location /api { proxy_pass http://127.0.0.1:8000/v1/; }"),
        server("location /api/ { proxy_pass http://127.0.0.1:8000/v1/; }"),
    ),
    "proxy-lost-slash": Pair(
        server("location /api/ { proxy_pass http://127.0.0.1:8000/v1; }"),
        server("location /api/ { proxy_pass http://127.0.0.1:8000/v1/; }"),
    ),
    "localhost": Pair(
        server("location / { proxy_pass http://localhost:8000; }"),
        server("location / { proxy_pass http://127.0.0.1:8000; }"),
    ),
    "upstream-no-keepalive": Pair(
        server("location / { proxy_pass http://app; }", UP.replace("keepalive 8;", "")),
        server(
            "location / { proxy_pass http://app; }",
            UP.replace("keepalive 8;", ""),
        ),
    )._replace(
        right=server("location / { proxy_pass http://app; }", "upstream app { server unix:/run/a.sock; }")
    ),
    "keepalive-unused": Pair(
        server("location / { proxy_pass http://app; }", UP),
        server(
            'location / { proxy_pass http://app; proxy_http_version 1.1; proxy_set_header Connection ""; }',
            UP,
        ),
    ),
    "upgrade-missing": Pair(
        app("", at="/ws/"), app("proxy_http_version 1.1; proxy_set_header Upgrade $http_upgrade;", at="/ws/")
    ),
    "upgrade-http10": Pair(
        app("proxy_set_header Upgrade $http_upgrade;"),
        app("proxy_set_header Upgrade $http_upgrade; proxy_http_version 1.1;"),
    ),
    "upgrade-always": Pair(
        app('proxy_set_header Connection "upgrade";'), app("proxy_set_header Connection $connection_upgrade;")
    ),
    "retry-post": Pair(
        app("proxy_next_upstream error non_idempotent;"), app("proxy_next_upstream error timeout;")
    ),
    "request-buffering-off": Pair(
        app("proxy_request_buffering off;"), app("proxy_request_buffering off;", at="/upload")
    ),
    "buffering-off": Pair(app("proxy_buffering off;"), app("proxy_buffering off;", at="/events")),
    "upstream-unverified": Pair(
        server("location / { proxy_pass https://api.example.com; }"),
        server("location / { proxy_pass https://api.example.com; proxy_ssl_verify on; }"),
    ),
    "socket-in-tmp": Pair(
        server("location / { uwsgi_pass unix:/tmp/app.sock; }"),
        server("location / { uwsgi_pass unix:/run/app.sock; }"),
    ),
    "no-params": Pair(
        server("location / { uwsgi_pass unix:/run/app.sock; }"),
        server("location / { uwsgi_pass unix:/run/app.sock; uwsgi_param QUERY_STRING $query_string; }"),
    ),
    "connect-timeout": Pair(app("proxy_connect_timeout 300s;"), app("proxy_connect_timeout 5s;")),
    # statics
    "alias-slash": Pair(
        server("location /static { alias /srv/app/static/; }"),
        server("location /static/ { alias /srv/app/static/; }"),
    ),
    "alias-lost-slash": Pair(
        server("location /static/ { alias /srv/app/static; }"),
        server("location /static/ { alias /srv/app/static/; }"),
    ),
    "alias-pattern": Pair(
        server("location ~ ^/media/(.+)$ { alias /srv/media/; }"),
        server("location ~ ^/media/(.+)$ { alias /srv/media/$1; }"),
    ),
    "root-doubled": Pair(
        server("location /static/ { root /srv/app/static; }"), server("location /static/ { root /srv/app; }")
    ),
    "root-inside-location": Pair(
        server("location / { root /srv/a; } location /files/ { expires 1d; }"),
        server("root /srv/a; location / { expires off; } location /files/ { expires 1d; }"),
    ),
    "wide-root": Pair(server("root /;"), server("root /srv/site;")),
    "source-served": Pair(
        server(
            "root /srv/app; location / { try_files $uri @a; } location @a { proxy_pass http://unix:/srv/app/app.sock; }"
        ),
        server(
            "root /srv/a/pub; location / { try_files $uri @b; } location @b { proxy_pass http://unix:/srv/a/a.sock; }"
        ),
    ),
    "dotfiles": Pair(
        server("root /srv/site; location / { try_files $uri =404; }"),
        server("root /srv/site; location / { try_files $uri =404; } location ~ /\\. { deny all; }"),
    ),
    "autoindex": Pair(
        server("location /d/ { root /srv; autoindex on; }"),
        server("location /d/ { root /srv; autoindex off; }"),
    ),
    "try-files-last": Pair(
        server("root /a; location / { try_files $uri $uri/; }"),
        server("root /a; location / { try_files $uri $uri/ =404; }"),
    ),
    "no-types": Pair(
        server("location /s/ { root /srv; }").replace("types { text/css css; }", ""),
        server("location /s/ { root /srv; }"),
    ),
    "php-any-file": Pair(
        server("root /a; location ~ \\.php$ { fastcgi_pass unix:/run/p; }"),
        server("root /a; location ~ \\.php$ { try_files $uri =404; fastcgi_pass unix:/run/p; }"),
    ),
    "pattern-dot": Pair(
        server("location ~ .php$ { return 404; }"), server("location ~ \\.php$ { return 404; }")
    ),
    "symlinks": Pair(
        server("root /a; disable_symlinks off;"), server("root /a; disable_symlinks if_not_owner;")
    ),
    # timeouts
    "timeout-mismatch": Pair(app(""), app("proxy_read_timeout 130s;"), backends=SLOW_APP),
    "timeout-endless": Pair(
        app("").replace("location /", "proxy_read_timeout 1d; location /", 1), app("proxy_read_timeout 1d;")
    ),
    "client-timeout": Pair(server("client_body_timeout 1h;"), server("client_body_timeout 30s;")),
    "keepalive-off": Pair(server("keepalive_timeout 0;"), server("keepalive_timeout 10;")),
    # tls
    "tls-old": Pair(tls("ssl_protocols TLSv1 TLSv1.2;"), tls("ssl_protocols TLSv1.2 TLSv1.3;")),
    "ciphers-weak": Pair(tls("ssl_ciphers HIGH:RC4-SHA;"), tls("ssl_ciphers HIGH:!aNULL:!MD5;")),
    "session-tickets": Pair(tls("").replace("ssl_session_tickets off;", ""), tls("")),
    "no-certificate": Pair(tls("").replace("ssl_certificate /a.pem;", ""), tls("")),
    "stapling-dead": Pair(
        tls("ssl_stapling on;").replace("/a.pem", "/etc/letsencrypt/live/a/fullchain.pem"),
        tls("ssl_stapling on;"),
    ),
    "client-certificate-unchecked": Pair(
        tls(f"ssl_verify_client optional; location / {{ {APP} }}"),
        tls(
            f"ssl_verify_client optional; if ($ssl_client_verify != SUCCESS) {{ return 403; }} location / {{ {APP} }}"
        ),
    ),
    "early-data": Pair(
        tls(f"ssl_early_data on; location / {{ {APP} }}"),
        tls(f"ssl_early_data on; location / {{ {APP} proxy_set_header Early-Data $ssl_early_data; }}"),
    ),
    # trust
    "forwarded-passed": Pair(app("").replace("proxy_set_header X-Real-IP $remote_addr;", ""), app("")),
    "forwarded-for": Pair(
        app("").replace("X-Forwarded-For $remote_addr", "X-Forwarded-For $proxy_add_x_forwarded_for"),
        app("", "set_real_ip_from 10.0.0.1;").replace(
            "X-Forwarded-For $remote_addr", "X-Forwarded-For $proxy_add_x_forwarded_for"
        ),
    ),
    "raw-host": Pair(app("").replace("Host $host", "Host $http_host"), app("")),
    "proto-fixed": Pair(
        app("").replace("$scheme", "https"), tls(f"{TOLD} location / {{ {APP} }}").replace("$scheme", "https")
    ),
    "host-lost": Pair(app("").replace("proxy_set_header Host $host;", ""), app("")),
    "real-ip-any": Pair(server("set_real_ip_from 0.0.0.0/0;"), server("set_real_ip_from 10.0.0.0/8;")),
    "real-ip-none": Pair(
        server("real_ip_header X-Forwarded-For;"),
        server("real_ip_header X-Forwarded-For; set_real_ip_from 10.0.0.1;"),
    ),
    "odd-header-names": Pair(server("underscores_in_headers on;"), server("underscores_in_headers off;")),
    # uploads
    "body-unlimited": Pair(server("client_max_body_size 0;"), server("client_max_body_size 10m;")),
    "body-mismatch": Pair(app(""), app("client_max_body_size 64m;"), backends=SLOW_APP),
    "body-in-tmp": Pair(
        server("client_body_temp_path /tmp/b;"), server("client_body_temp_path /var/lib/nginx/b;")
    ),
    "body-served": Pair(
        server("root /srv/a; client_body_temp_path /srv/a/tmp;"),
        server("root /srv/a; client_body_temp_path /srv/ab;"),
    ),
    "body-kept": Pair(server("client_body_in_file_only on;"), server("client_body_in_file_only clean;")),
    "dav-open": Pair(
        server("location /d { root /srv; dav_methods PUT DELETE; }"),
        server(f"location /d {{ root /srv; dav_methods PUT DELETE; {GUARD} }}"),
    ),
    # versions
    "too-new": Pair(tls("http2 on;"), tls(""), OLD),
    "removed-directive": Pair(tls("http2_push_preload on;"), tls("http2_max_concurrent_streams 9;")),
    "ssl-directive": Pair(tls("ssl on;"), tls("")),
    "listen-http2": Pair(tls("").replace("443 ssl", "443 ssl http2"), tls("http2 on;"), NEW),
    "gateway-fault": Pair(
        tls("").replace("443 ssl", "443 ssl http2"), server("return 404;"), Build("nginx", "/n", (1, 31, 3))
    ),
}
