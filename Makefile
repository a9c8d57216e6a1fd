# Two commands matter: `make demo` and `make test`. Each sets up all that it needs.
# ARGS reaches the command behind a target: make test ARGS=tests/unit, make bench ARGS=delivery, make demo ARGS=--json

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PACKAGES := core members delivery tracking scheduler api deploy
ARGS ?=
PIP = $(BIN)/python -m pip install --quiet --disable-pip-version-check
LOCK = $(BIN)/uv pip compile --quiet --universal --generate-hashes --no-header

.PHONY: demo test coverage chromium browser interop chaos steal bench lint format lock docs clean

demo: $(VENV)/.demo
	@$(BIN)/todoku demo $(ARGS)

test: $(VENV)/.ready
	@$(MAKE) --silent chromium || true
	$(BIN)/python -m pytest -m "not chaos" --numprocesses=auto --dist=worksteal $(ARGS)

coverage: $(VENV)/.ready
	$(BIN)/python -m pytest -m "not chaos" --numprocesses=auto --dist=worksteal --cov --cov-branch --cov-report=term $(ARGS)

# Debian's Chromium: found, or installed where that is allowed, or said in one line how.
chromium:
	@command -v chromium >/dev/null || { test "$$(id -u)" = 0 && command -v apt-get >/dev/null \
	  && apt-get update -qq && apt-get install -y -qq chromium fonts-noto-cjk >/dev/null; } \
	  || { echo "Chromium is needed for make browser: apt-get install chromium fonts-noto-cjk" >&2; exit 1; }

# The pages in a real browser; without one it fails.
browser: $(VENV)/.ready chromium
	$(BIN)/python -m pytest tests/browser $(ARGS)

# A real Postfix, Debian's, as relay and as receiver. Only root can start one; installing it sets up no mail service.
interop: $(VENV)/.ready
	@test "$$(id -u)" = 0 && { test -x /usr/lib/postfix/sbin/master || { command -v apt-get >/dev/null \
	  && echo "postfix postfix/main_mailer_type select No configuration" | debconf-set-selections && apt-get update -qq \
	  && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends postfix >/dev/null; }; } \
	  || { echo "Postfix is needed, and root to start it: apt-get install postfix" >&2; exit 1; }
	$(BIN)/python -m pytest tests/interop $(ARGS)

# Faults at length, on real processes; the suite has a short form of each.
chaos: $(VENV)/.ready
	$(BIN)/python -m pytest -m chaos $(ARGS)

# The thief's part: a service is staged, robbed and searched for everybody whom it knew.
steal: $(VENV)/.ready
	@$(BIN)/todoku steal --demo $(ARGS)

bench: $(VENV)/.ready
	@$(BIN)/python -m tests.benchmarks $(ARGS)

lint: $(VENV)/.ready
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(VENV)/.ready
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

lock: $(VENV)/.ready
	$(LOCK) --all-extras -o requirements.lock pyproject.toml
	$(LOCK) --extra embedded --extra demo --extra checkout -c requirements.lock -o requirements-demo.lock pyproject.toml

docs: $(VENV)/.ready
	$(BIN)/mkdocs build --strict --site-dir build/docs

clean:
	rm -rf build dist .coverage .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis

# Exactly what a lock names, by hash; then this checkout itself, without asking for anything more. The demo is content with
# two thirds of the packages; who has them all has the demo's.
$(VENV)/.demo: requirements-demo.lock pyproject.toml
	$(install)
	@touch $@

$(VENV)/.ready: requirements.lock pyproject.toml
	$(install)
	@touch $(VENV)/.demo $@

define install
@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
@echo "Installing into $(VENV) …" >&2
@$(PIP) --require-hashes --no-deps -r $<
@$(PIP) --no-build-isolation --no-deps -e .
endef
