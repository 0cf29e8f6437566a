# `make quickstart` and `make test` do all the set-up they need; CI runs `make check test`.
.DEFAULT_GOAL := help
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

.PHONY: help setup quickstart test test-fast check format bench clean

help: ## list these targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  %-12s %s\n", $$1, $$2}'

setup: $(READY) ## create .venv and install everything, pinned by constraints.txt

$(READY): constraints.txt pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || (echo "Python 3.11 or newer is needed; set PYTHON=" && false)
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --constraint constraints.txt --editable '.[dev]'
	@touch $(READY)

quickstart: setup ## all five strategies on the embedded corpus, logged to MLflow in store/
	$(BIN)/xlwarm run experiments/quickstart.yaml --store store

test: setup ## every test that needs no GPU
	$(BIN)/python -m pytest

test-fast: setup ## the inner loop: no slow test, no Ray
	$(BIN)/python -m pytest -m "not slow and not ray"

check: setup ## lint, types, import direction
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports

format: setup ## let ruff rewrite what it can
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

bench: setup ## speed and memory, as ratios within one run
	$(BIN)/python -m benchmarks.finetune_step

clean: ## remove caches; .venv and store stay
	rm -rf .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache build *.egg-info
	find . -name __pycache__ -not -path './.venv/*' -exec rm -rf {} +
