# `make` alone lists what there is to do. What it needs, it sets up first.

SHELL := /bin/bash
.DEFAULT_GOAL := help
.PHONY: help setup demo test soak nightly check bench bench-compare audit up down psql rabbitmqctl clean pins

# Another interpreter: make setup PYTHON=python3.12
PYTHON ?= python3
# For what is run: make demo ARGUMENTS=--keep
ARGUMENTS ?=

IN_VENV := .venv/bin
# Named for all that decides what is in .venv, so that it is set up again when that changes, and only then.
SET_UP := .venv/set-up-$(shell { cat pyproject.toml constraints.txt; pwd; } | cksum | cut -d ' ' -f 1)
SET_UP_BENCH := $(SET_UP)-bench
# Of the last version, by `make bench ARGUMENTS="--quick --json $(BENCH_BEFORE)"`.
BENCH_BEFORE := tests/benchmarks/quick.json
# In as many processes as tests/running.py says, a file in one of them; in this one: ARGUMENTS="-n 0 …".
PYTEST := $(IN_VENV)/python -m pytest -n auto --dist loadfile --no-loadscope-reorder
VENV_PACKAGE := $(notdir $(PYTHON))-venv

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-13s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

setup: $(SET_UP) ## make .venv with everything pinned; done by the others when needed

demo: $(SET_UP) ## start servers and a worker, send five requests, show what came back
	@$(IN_VENV)/orders demo $(ARGUMENTS)

test: $(SET_UP) ## run every test, against real servers: twenty minutes on two cores; ARGUMENTS="-k price", ARGUMENTS=tests/unit
	@$(PYTEST) $(ARGUMENTS)

soak: $(SET_UP) ## play every fault for long, and 5,000 random orders: an hour; SECONDS=600 SEED=N
	@$(IN_VENV)/python -m pytest -v -m soak -o log_cli=true tests/faults tests/integration/test_reference.py \
	  $(if $(SECONDS),--seconds $(SECONDS)) $(if $(SEED),--seed $(SEED)) $(ARGUMENTS)

nightly: test ## every test, the same on RabbitMQ 4, and a soak on both: three hours
	@$(PYTEST) --rabbitmq=4 tests/acceptance tests/integration tests/faults
	@$(MAKE) --no-print-directory soak
	@$(MAKE) --no-print-directory soak ARGUMENTS=--rabbitmq=4

check: $(SET_UP) ## format, lint, types, import contracts, unit tests: seconds, no servers
	@$(IN_VENV)/ruff format --check .
	@$(IN_VENV)/ruff check .
	@$(IN_VENV)/mypy
	@$(IN_VENV)/lint-imports
	@$(IN_VENV)/python -m pytest tests/unit

bench: $(SET_UP_BENCH) ## measure how fast it is, in a quarter of an hour; ARGUMENTS=--quick in two minutes
	@$(IN_VENV)/python -m tests.benchmarks $(ARGUMENTS)

bench-compare: $(SET_UP_BENCH) ## measure quickly, and fail if it is slower than the version before
	@$(IN_VENV)/python -m tests.benchmarks --quick --compare $(BENCH_BEFORE) $(ARGUMENTS)

audit: ## ask PyPI whether a pinned package has a known weakness: over the network
	@[ -x .venv/audit/bin/pip-audit ] || { $(PYTHON) -m venv .venv/audit && \
	  .venv/audit/bin/python -m pip install -qq --disable-pip-version-check pip-audit; }
	@# Strict: what could not be looked up is not known to be free of them.
	@.venv/audit/bin/pip-audit --strict --progress-spinner off --disable-pip --no-deps --requirement constraints.txt

up: $(SET_UP) ## start Postgres and RabbitMQ and leave them running
	@$(IN_VENV)/python -m deploy.local up

down: $(SET_UP) ## stop them
	@$(IN_VENV)/python -m deploy.local down

psql: $(SET_UP) ## run psql on what runs: ARGUMENTS="-c 'TABLE orders'"
	@$(IN_VENV)/python -m deploy.local psql -- $(ARGUMENTS)

rabbitmqctl: $(SET_UP) ## run rabbitmqctl on what runs: ARGUMENTS='list_queues name messages'
	@$(IN_VENV)/python -m deploy.local rabbitmqctl -- $(ARGUMENTS)

clean: ## stop them, and remove their data, .venv and all caches
	@[ ! -x $(IN_VENV)/python ] || $(IN_VENV)/python -m deploy.local down --delete
	@rm -rf .venv .local .*_cache .hypothesis *.egg-info

pins: ## renew constraints.txt with the newest versions of everything
	@echo "looking up the newest versions (a minute)" >&2
	@rm -rf .venv/pins && $(PYTHON) -m venv .venv/pins
	@.venv/pins/bin/python -m pip install -qq --editable '.[local,dev,bench]'
	@{ head -n 1 constraints.txt; .venv/pins/bin/python -m pip freeze --exclude-editable; } > .venv/pins/constraints.txt
	@mv .venv/pins/constraints.txt . && rm -rf .venv/pins

$(SET_UP):
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo 'error: $(PYTHON) is not Python 3.11 or newer; mend: install one and run: make setup PYTHON=python3.12' >&2; \
	  exit 1; }
	@$(PYTHON) -c 'import ensurepip' 2>/dev/null || { \
	  [ "$$(id -u)" = 0 ] || as_root='sudo -n'; \
	  $$as_root true 2>/dev/null && echo 'installing $(VENV_PACKAGE) with apt-get (once)' >&2 && \
	  $$as_root apt-get -qq update && \
	  $$as_root env DEBIAN_FRONTEND=noninteractive apt-get -qq install --no-install-recommends $(VENV_PACKAGE) >/dev/null; \
	} || { \
	  echo 'error: $(PYTHON) cannot make environments; mend: sudo apt-get install $(VENV_PACKAGE)' >&2; \
	  exit 1; }
	@echo 'setting up .venv (a minute, once)' >&2
	@$(IN_VENV)/python -m pip --version >/dev/null 2>&1 || $(PYTHON) -m venv --clear .venv
	@$(IN_VENV)/python -m pip install -qq --disable-pip-version-check \
	  --constraint constraints.txt --editable '.[local,dev]'
	@rm -f .venv/set-up-* && touch $@

$(SET_UP_BENCH): $(SET_UP)
	@echo 'adding what the benchmarks need to .venv (once)' >&2
	@$(IN_VENV)/python -m pip install -qq --disable-pip-version-check \
	  --constraint constraints.txt --editable '.[local,dev,bench]'
	@touch $@
