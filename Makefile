# Everything installs into the checkout: .venv (tools), .cache (Node, workerd, Pyodide), examples/*/.venv (origins).
PYTHON ?= python3
export EDGELIFT_CACHE ?= $(CURDIR)/.cache/edgelift
BIN := .venv/bin
ORIGIN := examples/anomaly

.DEFAULT_GOAL := help
.PHONY: help setup demo test check unit clean

help:  ## list the targets
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/'

.venv/.installed: pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or newer is needed: make PYTHON=python3.12 ..."; exit 2; }
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install -q --disable-pip-version-check 'uv>=0.9'
	$(BIN)/uv pip install -q --python $(BIN)/python --editable . --group dev
	@touch $@

setup: .venv/.installed  ## install edgelift and its development tools into .venv

$(ORIGIN)/.venv/.installed: $(ORIGIN)/requirements.txt $(ORIGIN)/requirements-dev.txt | .venv/.installed
	$(BIN)/uv venv -q --clear --python $(BIN)/python $(ORIGIN)/.venv
	$(BIN)/uv pip install -q --python $(ORIGIN)/.venv/bin/python -r $(ORIGIN)/requirements-dev.txt
	@touch $@

$(ORIGIN)/instance/anomaly.db: $(ORIGIN)/scripts/seed.py | $(ORIGIN)/.venv/.installed
	cd $(ORIGIN) && .venv/bin/python scripts/seed.py

demo: setup $(ORIGIN)/instance/anomaly.db  ## lift the example backend, prove it and serve it until Ctrl-C
	$(BIN)/edgelift lift $(ORIGIN)

check: setup  ## lint, formatting, types
	$(BIN)/ruff check -q src tests tools benchmarks
	$(BIN)/ruff format -q --check src tests tools benchmarks
	$(BIN)/mypy

test: check $(ORIGIN)/instance/anomaly.db  ## all checks and all tests
	$(BIN)/python -m pytest -n 3 --dist loadgroup --cov --cov-report=term:skip-covered

unit: setup  ## the quick tests only
	$(BIN)/python -m pytest tests/unit tests/cases tests/cli

clean:  ## remove what the targets made, but not the download cache
	rm -rf .venv build dist $(ORIGIN)/.venv $(ORIGIN)/instance $(ORIGIN)/.edgelift
