"""The texts of an ejected site; `@name@` stands for a value."""

from __future__ import annotations

START = """\
#!/bin/sh
# Starts the app and @gateway@ in the foreground, and ends both together. With systemd use the units instead.
# PYTHON and GATEWAY name other programs; --prepare makes the folders and a first certificate, and ends.
set -eu
cd @directory@
umask 022

# Folders for sockets, logs, and bodies in progress, each for those who use it.
@makes@
@certificate@
[ "${1:-}" != --prepare ] || exit 0

# Two of them would take each other's socket away. All that this one starts holds the lock.
if command -v flock >/dev/null; then
    exec 9>state/lock
    flock -n 9 || { echo "@directory@/start runs already: end it first, with Ctrl-C or SIGTERM" >&2; exit 1; }
fi

program=${GATEWAY:-@binary@}
python=${PYTHON:-}
[ -n "$python" ] || { [ -x venv/bin/python ] && python=venv/bin/python || python=python3; }

socket=@socket@
rm -f @pid@ @live@ "$socket"
@app@

# @gateway@ waits for the app's socket: nobody gets 502 at the start.
waited=0
while [ -n "$socket" ] && [ ! -S "$socket" ]; do
    kill -0 $pids 2>/dev/null || { echo "the app did not start" >&2; exit 1; }
    [ $waited -lt 600 ] || { echo "the app did not start within a minute" >&2; kill $pids; exit 1; }
    waited=$((waited + 1))
    sleep 0.1
done

# The app is live: @gateway@ passes requests on.
[ -z "$socket" ] || touch @live@

"$program" @arguments@ &
gateway=$!

# It may finish for @patience@ s, and is ended then, with what it has started. uWSGI itself waits for ever for a
# worker that was only just starting.
leave() {
    left=@patience@0
    while kill -0 $1 2>/dev/null && [ $left -gt 0 ]; do
        left=$((left - 1))
        sleep 0.1
    done
    [ $left -gt 0 ] || kill -KILL $1 $(cat /proc/$1/task/$1/children 2>/dev/null) 2>/dev/null || :
    wait $1 || :
}

# @gateway@ finishes its requests first (@stop@), then the app (TERM).
finish() {
    trap '' INT TERM
    kill -@stop@ $gateway 2>/dev/null || :
    leave $gateway
    [ -z "$pids" ] || kill -TERM $pids 2>/dev/null || :
    [ -z "$pids" ] || leave $pids
    rm -f @live@
    exit "${1:-0}"
}
trap finish INT TERM

# If one of them ends, so does the other.
while kill -0 $gateway 2>/dev/null && { [ -z "$pids" ] || kill -0 $pids 2>/dev/null; }; do
    sleep 1
done
echo "@gateway@ or the app ended: see state/error.log" >&2
finish 1
"""
"""Starts the app and the gateway without systemd."""

CERTIFICATE = """\
#!/bin/sh
# Puts a certificate and its key into conf/@file@, which @gateway@ reads, and tells it.
#   ./certificate FULLCHAIN PRIVKEY    certbot: --deploy-hook '@directory@/certificate'
#   ./certificate --if-missing         one signed by itself, so that it starts before the first real one
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
[ ! -f @pid@ ] || kill -@reload@ "$(cat @pid@)"
"""
"""Puts a certificate in place."""

CERTBOT = """\

## The certificate

@gateway@ starts with one that is signed by itself. The real one, once it runs and the names lead here:

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

CERTIFICATES = "| `certificate`, `conf/hsts.conf` | puts a new certificate in place; the HSTS header |\n"
"""Rows of the README of a site with HTTPS."""

README = """\
# @name@, without Portico

These files serve @urls@ with @gateway@ in front of uWSGI. They need @gateway@, Python, the app's packages and
`pyuwsgi`, and not Portico. They belong in @directory@: their paths are absolute.

    cd @directory@
    python3 -m venv venv
    venv/bin/pip install pyuwsgi -r .../requirements.txt
    ./start

The app is @app@, its code is in @code@.

## What is here

| file | what it is |
|---|---|
| `start` | makes the folders, starts the app and @gateway@, ends both together |
@files@
| `conf/errors/` | the error pages |
| `@name@-app.service`, `@name@-@gateway@.service` | units for `/etc/systemd/system`, instead of `start` |
| `logrotate.conf` | for `/etc/logrotate.d/@name@` |
@certificates@| `state/` | logs and uploads in progress; made at the start |

Static files that @gateway@ sends:

@statics@
@https@
## By hand

* Other settings: change the file, test it (`@test@`), then
  `kill -@reload@ $(cat @pid@)`.
* Maintenance: `mkdir maintenance && touch maintenance/on` shows the page of maintenance; remove `on` to open again.
* New code: restart the app.

## What Portico did besides

@lost@
"""
"""The page that says what each file is."""
