# Each target does its own set-up; `make run` and `make test` are all a fresh machine needs.
# PYTHON=/path/to/python names one; else it is the first of python3, python3.13 ... that is 3.11 or newer.
BIN = .venv/bin
TEST_PACKAGES = apache2-bin libapache2-mod-security2 curl nginx libnginx-mod-http-brotli-filter \
	libnginx-mod-http-modsecurity modsecurity-crs gcc libc6-dev pebble testssl.sh tshark chromium libnss3-tools \
	podman runc catatonit man-db netavark aardvark-dns iptables debootstrap openssh-server iproute2 wrk
LISTEN ?= 127.0.0.1:8080
SOAK_SECONDS ?= 300
# Tests wait for servers twice as long as they compute: four processes more than there are processors.
TEST_PROCESSES ?= $(shell expr $$(getconf _NPROCESSORS_ONLN) + 4)
# Where it is set every process would compile, and pytest rewrite, every file anew: 4 s each.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help setup run test test-httpd site collect as-user debian13 test-debian13 check golden docs bench faults attack smuggling certificates cache-tests websocket-cases adopt-corpus screenshots soak clean

help:
	@echo "make run     serve the example app behind nginx (LISTEN=$(LISTEN))"
	@echo "make test    check, then every test; as root first what differs by user or by version (in a Debian 13)"
	@echo "make test-debian13  what depends on the versions of nginx and Python, in a Debian 13 made for it (as root; minutes)"
	@echo "make test-httpd  the live tests over Apache httpd in the place of nginx (an hour)"
	@echo "make check   ruff and mypy --strict"
	@echo "make golden  write the golden files anew; read the difference before you commit it"
	@echo "make docs    write docs/reference.md, docs/commands.md, docs/portico.1 and docs/portico.schema.json anew"
	@echo "make site    build the documentation as a site, in build/site"
	@echo "make bench   measure Portico beside its peers (some minutes)"
	@echo "make faults  kill, stop and starve every part under load, and count what is lost (ten minutes)"
	@echo "make attack  what an attacker can try, against every link and both builds of nginx (two minutes)"
	@echo "make smuggling  requests hidden in requests: client, nginx and app compared by id (ARGS='--seed 7 --mutations 2000')"
	@echo "make certificates  what sslyze and testssl.sh say; certificates where nonces are rejected, swaps under load (ten minutes)"
	@echo "make cache-tests  npm's http-cache-tests through the default cache (Node.js and npm needed)"
	@echo "make websocket-cases  autobahntestsuite against a WebSocket echo (PYTHON2=python2.7, which it needs; a minute)"
	@echo "make adopt-corpus  every hand-written configuration of the corpus beside what it became (15 to 30 minutes; ARGS='--only certbot.conf')"
	@echo "make screenshots  pictures of top and the dashboard, for the README; look at them"
	@echo "make soak    mixed load for minutes (SOAK_SECONDS=$(SOAK_SECONDS))"

setup:
	@PYTHON=$(PYTHON) scripts/setup dev

run:
	@PYTHON=$(PYTHON) scripts/setup run
	@scripts/example $(LISTEN); code=$$?; [ $$code -eq 130 ] || exit $$code

check: setup
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy

test:
	@PYTHON=$(PYTHON) scripts/setup dev $(TEST_PACKAGES)
	@$(MAKE) --no-print-directory --jobs=4 --output-sync check as-user debian13 collect
	@$(BIN)/python -m pytest -n $(TEST_PROCESSES) $(PYTEST_ARGS)

# Once, before many processes do the same at the same time in a fresh clone.
collect:
	@$(BIN)/python -m pytest --collect-only -qqq >/dev/null || true # the run itself says why

test-httpd: setup
	@TESTS_GATEWAY=apache $(BIN)/python -m pytest -n $(TEST_PROCESSES) tests/live $(PYTEST_ARGS)

as-user:
	@[ "$$(id -u)" -ne 0 ] || scripts/as-user

debian13:
	@scripts/debian13 --if-possible

test-debian13: setup
	@scripts/debian13 $(DEBIAN13_ARGS)

golden: setup
	@GOLDEN=update $(BIN)/python -m pytest -q -n auto tests -k golden || true
	@git status --short tests/golden tests/histories

docs: setup
	@$(BIN)/portico options --markdown > docs/reference.md
	@$(BIN)/portico options --schema > docs/portico.schema.json
	@$(BIN)/python -m tests.commands_page > docs/commands.md
	@$(BIN)/python -m tests.man_page > docs/portico.1
	@$(BIN)/python -m tests.compare_page > docs/compare.md
	@$(BIN)/python -m tests.acceptance.places

site: setup
	@scripts/site build/site
	@echo "look at build/site/index.html"

bench: setup
	@scripts/apt nginx wrk
	@$(BIN)/python -m bench $(BENCH_ARGS)

faults: setup
	@scripts/apt $(TEST_PACKAGES) systemd
	@$(BIN)/python -m tests.faults $(FAULTS_ARGS)

attack: setup
	@scripts/apt $(TEST_PACKAGES)
	@$(BIN)/python -m tests.attack $(ATTACK_ARGS)

smuggling: setup
	@scripts/apt $(TEST_PACKAGES)
	@$(BIN)/python -m tests.attack --only smuggling $(ARGS)

certificates: setup
	@scripts/apt $(TEST_PACKAGES)
	@$(BIN)/python -m tests.certificates

websocket-cases: setup
	@$(BIN)/python -m tests.autobahn --python2 $(PYTHON2) $(ARGS)

cache-tests: setup
	@$(BIN)/python -m tests.http_cache $(CACHE_TESTS_ARGS)

adopt-corpus: setup
	@scripts/apt $(TEST_PACKAGES) libapache2-mod-wsgi-py3
	@$(BIN)/python -m tests.adopt.verify_corpus $(ARGS)

soak: setup
	@SOAK_SECONDS=$(SOAK_SECONDS) $(BIN)/python -m pytest -q -s tests/link/test_soak.py

screenshots: setup
	@scripts/apt chromium
	@$(BIN)/python -m tests.screenshots
	@echo "look at docs/pictures"

clean:
	rm -rf .venv build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis
