# `make demo`: from a bare clone to a served environment. `make test`: every test. Both set up what they need.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory
# Where it is set no bytecode is kept, so that each command compiles Pulumi's SDKs again, which takes seconds.
unexport PYTHONDONTWRITEBYTECODE

# A folder of plugins may be named from here; tests run the sandbox's commands elsewhere.
ifneq ($(and $(DEPLOYTAG_PLUGINS),$(wildcard $(DEPLOYTAG_PLUGINS)/.)),)
export DEPLOYTAG_PLUGINS := $(abspath $(DEPLOYTAG_PLUGINS))
endif

VENV := .venv/bin
RUN := PATH="$(CURDIR)/$(VENV):$$PATH"
SANDBOX := $(VENV)/python -m sandbox
# Everything the suite keeps outside of the tree is in temporary folders, so workers never meet.
PYTEST := $(VENV)/python -m pytest -n 3
# All clones share one: mypy goes by what files hold, so a new clone uses what an earlier one found out.
CACHE := $(or $(DEPLOYTAG_CACHE),$(HOME)/.cache/deploytag)
# requirements.txt, from the lock.
EXPORT := $(VENV)/uv export --quiet --frozen --no-default-groups --group build --no-emit-project --no-header --no-annotate

.PHONY: help
help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: venv
venv: ## the Python environment, from the lock file
	@sandbox/bootstrap.sh

.PHONY: up
up: venv ## the sandbox: cluster, registry, builder, database, Secrets Manager on this machine
	@$(SANDBOX) up

.PHONY: down
down: venv ## stop the sandbox; its data stays
	@$(SANDBOX) down

.PHONY: demo
demo: up ## deploy the sample application from the branch feature/test
	@sandbox/demo.sh

.PHONY: env
env: venv ## shell exports: eval "$$(make -s env)"
	@$(SANDBOX) env

.PHONY: lint
lint: venv ## formatting, lint, types, architecture, exported requirements
	@$(VENV)/ruff format --check --quiet
	@$(VENV)/ruff check --quiet
	@MYPY_CACHE_DIR="$(CACHE)/mypy" $(VENV)/mypy
	@$(VENV)/lint-imports --no-logo 2>/dev/null || $(VENV)/lint-imports
	@$(EXPORT) | diff -u requirements.txt - \
		|| { echo "requirements.txt is not what uv.lock says: run make requirements"; exit 1; }

.PHONY: requirements
requirements: venv ## export requirements.txt from the lock
	@$(EXPORT) > requirements.txt

.PHONY: audit
audit: venv ## known vulnerabilities of the locked packages, and whether each has its hashes; asks nobody
	@$(VENV)/python -m tests.audit

.PHONY: check
check: lint audit ## the fast checks: no sandbox, no root
	@$(RUN) deploytag test
	@$(PYTEST) -m "not toolchain" tests/unit tests/program

.PHONY: test
test: check up ## every test
	@# Each worker imports whatever it is told to look through: only files with such tests.
	@eval "$$($(SANDBOX) env)"; $(PYTEST) -m "toolchain or e2e" --ignore tests/e2e/sandbox tests/e2e $$(grep -rl mark.toolchain tests/unit)
	@# These stop and start the one sandbox of this machine, so nothing runs beside them.
	@eval "$$($(SANDBOX) env)"; $(VENV)/python -m pytest tests/e2e/sandbox

.PHONY: attempts
attempts: up ## try to break out of an environment, and write the table in docs/security.md
	@eval "$$($(SANDBOX) env)"; $(VENV)/python -m pytest --write-docs tests/e2e/delivery/test_attack.py

.PHONY: soak
soak: up ## the long tests: all that `make test` runs or samples, the kill matrix, 200 rounds of the storm (hours)
	@eval "$$($(SANDBOX) env)"; DEPLOYTAG_ORPHANS=20 $(PYTEST) --all -m e2e --ignore tests/e2e/sandbox tests/e2e
	@eval "$$($(SANDBOX) env)"; $(VENV)/python -m pytest --all tests/e2e/sandbox
	@eval "$$($(SANDBOX) env)"; $(VENV)/python -m pytest -m soak tests/soak
