# `make quickstart` and `make test` do all the set-up they need; CI runs `make check test`.
.DEFAULT_GOAL := help
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

# Set-up compiles nothing ahead, so the first import of a module must leave its bytecode for the next
# process: with this variable, which containers like to set, each would compile all of torch anew.
unexport PYTHONDONTWRITEBYTECODE

# The pairs of the paper's languages that Apertium has: en to es and ca, from these to fr, it and pt.
APERTIUM := apertium $(addprefix apertium-,eng-spa eng-cat fr-es spa-ita es-pt fra-cat cat-ita)
# Tests that kill what runs and wait for it to come back: as long as all others on Ray.
FAULTS := tests/test_faults.py
# Those with servers, browsers and drivers of their own.
PROGRAMS := tests/test_browser.py tests/test_store_faults.py tests/test_tracking_server.py
ON_RAY = $(filter-out $(FAULTS),$(shell grep --files-with-matches "mark\.ray" tests/test_*.py))
BROWSER := chromium chromium-driver
APT := $(shell test "$$(id -u)" = 0 || echo sudo) apt-get -o Acquire::Retries=1 -o Acquire::http::Timeout=20
INSTALL = $(APT) install --yes --no-install-recommends $(PACKAGES) || ($(APT) update && $(APT) install --yes --no-install-recommends $(PACKAGES))

.PHONY: help setup apertium browser quickstart test test-on-ray test-of-faults test-of-programs test-beside-ray test-fast check format docs bench clean

help: ## list these targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  %-12s %s\n", $$1, $$2}'

setup: $(READY) ## create .venv and install everything, pinned by constraints.txt

# The pip that comes with Python 3.11 weighs every release of every package for over a minute.
$(READY): constraints.txt pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || (echo "Python 3.11 or newer is needed; set PYTHON=" && false)
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --constraint constraints.txt pip
	PYTHONWARNINGS='ignore:Editable installation' $(BIN)/pip install --quiet --no-compile --constraint constraints.txt --editable '.[dev]'
	@touch $(READY)

apertium: PACKAGES = $(APERTIUM)
apertium: ## install the offline translator Apertium, en to es, ca, fr, it, pt (Debian, Ubuntu)
	@command -v apt-get > /dev/null || (echo "No apt-get here. Install with your own package manager, or as wiki.apertium.org/wiki/Installation says: $(PACKAGES)" && false)
	$(INSTALL)

browser: PACKAGES = $(BROWSER)
browser: ## install Chromium and its driver, for the tests in a browser (Debian)
	@command -v apt-get > /dev/null || (echo "No apt-get here. Install with your own package manager: Chromium or Chrome, and the chromedriver of the same version" && false)
	$(INSTALL)

quickstart: setup ## all five strategies on the embedded corpus, logged to MLflow in store/
	$(BIN)/xlwarm run experiments/quickstart.yaml --store store

# Two at a time: those on Ray use two cores each, and four at a time took longer than three.
test: setup ## every test that needs no GPU
	@$(MAKE) --no-print-directory --jobs 2 --keep-going --output-sync test-of-faults test-beside-ray test-on-ray test-of-programs

test-of-faults: setup
	$(BIN)/python -m pytest -m ray $(FAULTS)

test-on-ray: setup
	$(BIN)/python -m pytest -m ray $(ON_RAY)

test-of-programs: setup
	$(BIN)/python -m pytest -m "not ray" $(PROGRAMS)

test-beside-ray: setup
	$(BIN)/python -m pytest -m "not ray" $(addprefix --ignore=,$(PROGRAMS))

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

docs: setup ## the documentation site, with the notebook's outputs, in site/
	XLWARM_DOCS_RUN=1 $(BIN)/mkdocs build

bench: setup ## speed and memory, as ratios within one run
	$(BIN)/python -m benchmarks.finetune_step

clean: ## remove caches; .venv and store stay
	rm -rf .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache build *.egg-info
	find . -name __pycache__ -not -path './.venv/*' -exec rm -rf {} +
