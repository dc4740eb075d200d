"""The texts of an ejected site; `@name@` stands for a value."""

from __future__ import annotations

START = """\
#!/bin/sh
# Starts the app and nginx in the foreground, and ends both together. With systemd use the units instead.
# PYTHON and NGINX name other programs; --prepare makes the folders and a first certificate, and ends.
set -eu
cd @directory@
umask 022

# Folders for sockets, logs, and bodies in progress, each for those who use it.
@makes@
rm -f nginx.pid
@certificate@
[ "${1:-}" != --prepare ] || exit 0

nginx=${NGINX:-@nginx@}
python=${PYTHON:-}
[ -n "$python" ] || { [ -x venv/bin/python ] && python=venv/bin/python || python=python3; }

@app@

# nginx waits for the app's socket: nobody gets 502 at the start.
socket=@socket@
waited=0
while [ -n "$socket" ] && [ ! -S "$socket" ]; do
    kill -0 $pids 2>/dev/null || { echo "the app did not start" >&2; exit 1; }
    [ $waited -lt 600 ] || { echo "the app did not start within a minute" >&2; kill $pids; exit 1; }
    waited=$((waited + 1))
    sleep 0.1
done

"$nginx" -p "$PWD" -c "$PWD/conf/nginx.conf" -e @error_log@ &
gateway=$!

# nginx finishes its requests first (QUIT), then the app (TERM).
finish() {
    trap '' INT TERM
    kill -QUIT $gateway 2>/dev/null || :
    wait $gateway || :
    [ -z "$pids" ] || kill -TERM $pids 2>/dev/null || :
    wait
    exit "${1:-0}"
}
trap finish INT TERM

# If one of them ends, so does the other.
while kill -0 $gateway 2>/dev/null && { [ -z "$pids" ] || kill -0 $pids 2>/dev/null; }; do
    sleep 1
done
echo "nginx or the app ended: see state/error.log" >&2
finish 1
"""
"""Starts the app and nginx without systemd."""

CERTIFICATE = """\
#!/bin/sh
# Puts a certificate and its key into conf/@file@, which nginx reads, and tells nginx.
#   ./certificate FULLCHAIN PRIVKEY    certbot: --deploy-hook '@directory@/certificate'
#   ./certificate --if-missing         one signed by itself, so that nginx starts before the first real one
set -eu
cd @directory@
umask 077
new=conf/.@file@.new
if [ "${1:-}" = --if-missing ]; then
    [ ! -s conf/@file@ ] || exit 0
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 30 -subj /CN=@name@ \\
        -keyout conf/.key -out conf/.certificate 2>/dev/null
    cat conf/.certificate conf/.key > "$new"
    rm -f conf/.certificate conf/.key
else
    # certbot says where they are
    cat "${1:-$RENEWED_LINEAGE/fullchain.pem}" "${2:-${RENEWED_LINEAGE:-}/privkey.pem}" > "$new"
fi
mv "$new" conf/@file@
[ ! -f nginx.pid ] || kill -HUP "$(cat nginx.pid)"
"""
"""Puts a certificate in place."""

CERTBOT = """\

## The certificate

nginx starts with one that is signed by itself. The real one, once nginx runs and the names lead here:

    certbot certonly --webroot -w @challenges@ @names@ --deploy-hook @directory@/certificate

certbot renews it by its own timer and calls `certificate` each time. When HTTPS has worked for some days, raise
`max-age` in `conf/hsts.conf` (31536000 is a year): browsers then ask by HTTPS alone for as long.
"""
"""The part of the page about certificates, for one that certbot gets."""

OWN_FILES = """\

## The certificate

`start` takes @cert@ and @key@. After a renewal: `./certificate @cert@ @key@`.
"""
"""The same for files of the user's own."""

SELF_SIGNED = """\

## The certificate

It is signed by itself: browsers warn of it. `./certificate FULLCHAIN PRIVKEY` puts another one in place.
"""
"""The same for a site in development."""

README = """\
# @name@, without Portico

These files serve @urls@ with nginx in front of uWSGI. They need nginx, Python, the app's packages and
`pyuwsgi`, and not Portico. They belong in @directory@: their paths are absolute.

    cd @directory@
    python3 -m venv venv
    venv/bin/pip install pyuwsgi -r .../requirements.txt
    ./start

The app is @app@, its code is in @code@.

## What is here

| file | what it is |
|---|---|
| `start` | makes the folders, starts the app and nginx, ends both together |
| `conf/nginx.conf` | nginx: processes, limits, the servers and their locations, with the reasons as comments |
| `conf/types.conf`, `conf/maps.conf` | parts of it: the types of files, variables that follow from others |
| `conf/log.conf`, `conf/app1.conf` | parts of it: the log line, what the app is told of each request |
| `conf/errors/` | the error pages |
| `conf/uwsgi.ini` | the app server: workers, threads, timeouts |
| `@name@-app.service`, `@name@-nginx.service` | units for `/etc/systemd/system`, instead of `start` |
| `logrotate.conf` | for `/etc/logrotate.d/@name@` |
| `certificate`, `conf/hsts.conf` | with HTTPS: puts a new certificate in place; the HSTS header |
| `state/` | logs and uploads in progress; made at the start |

Static files that nginx sends:

@statics@
@https@
## By hand

* Other settings: change the file, test it (`nginx -p @directory@ -c @directory@/conf/nginx.conf -t`), then
  `kill -HUP $(cat nginx.pid)`.
* Maintenance: `mkdir maintenance && touch maintenance/on` shows the page of maintenance; remove `on` to open again.
* New code: restart the app.

## What Portico did besides

@lost@
"""
"""The page that says what each file is."""
