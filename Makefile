# Two commands do all: `make demo` and `make test`. Both make and use .venv/ in this checkout, with pip alone.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet

# Containers like to set it; then every engine, server and helper that a test starts compiles all modules anew.
unexport PYTHONDONTWRITEBYTECODE

WORKERS ?= 4
# Twice as many as the cores of a small machine: tests wait for about half of their time.

.PHONY: demo test quick soak lint types imports unit pure bench bench-aide mutants coverage clean help

help:
	@echo "make demo   set up, then two rounds of four agents on census-income, offline (recipes, no language model)"
	@echo "make test   set up, then lint, types, import contract and every test"
	@echo "make quick  the same with only the tests that need no kernel, server or sandbox: about two minutes"
	@echo "make mutants  how many small wrong changes the tests notice (MODULES=\"medals budget\" for some)"
	@echo "make coverage  every test once more, with the lines that ran here and in child processes"
	@echo "make soak   kill one run's engine 200 times and see that nothing is lost or paid for twice"
	@echo "make bench-aide  race CoMind against the real aideml, which gets an environment of its own"
	@echo "make bench  measure engine, ranks, server and metrics; figures are in docs/"

demo: $(VENV)/.installed
	$(BIN)/comind-tui run census-income --offline --coders 4 --rounds 2 --time-limit 170s --state state

test: lint imports
	@$(MAKE) --no-print-directory -j2 types unit

quick: $(VENV)/.installed-dev
	@$(MAKE) --no-print-directory -j2 lint imports types pure

soak: $(VENV)/.installed-dev
	COMIND_KILLS=200 $(BIN)/python -m pytest tests/e2e/test_kill.py

lint: $(VENV)/.installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/.installed-dev
	$(BIN)/mypy

imports: $(VENV)/.installed-dev
	$(BIN)/lint-imports

unit: $(VENV)/.installed-dev
	$(BIN)/python -m pytest -n $(WORKERS) --dist loadfile --no-loadscope-reorder

pure: $(VENV)/.installed-dev
	$(BIN)/python -m pytest --quick -q -rfE --ignore tests/e2e -n 2 --dist loadfile --no-loadscope-reorder

coverage: $(VENV)/.installed-dev
	@mkdir -p build/coverage
	$(BIN)/python -m coverage run -m pytest -n $(WORKERS) --dist loadfile --no-loadscope-reorder
	$(BIN)/python -m coverage combine -q
	$(BIN)/python -m coverage report

mutants: $(VENV)/.installed-dev
	$(BIN)/python -m benchmarks.mutants $(MODULES)

bench: $(VENV)/.installed-dev
	$(BIN)/python -m benchmarks.engine_overhead
	$(BIN)/python -m benchmarks.ranks_board
	$(BIN)/python -m benchmarks.parallel_clients
	$(BIN)/python -m benchmarks.metric_speed

bench-aide: $(VENV)/.installed-dev
	$(BIN)/python -m benchmarks.against_aide --kernels

$(VENV)/.python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "CoMind needs Python 3.11 or newer: make demo PYTHON=python3.12")'
	$(PYTHON) -m venv $(VENV)
	@touch $@

$(VENV)/.installed: pyproject.toml constraints.txt $(VENV)/.python
	@echo "Installing CoMind into .venv (about a minute) …"
	$(PIP) install -c constraints.txt -e .
	@touch $@

$(VENV)/.installed-dev: $(VENV)/.installed
	@echo "Installing the test tools …"
	$(PIP) install -c constraints.txt -e '.[dev]'
	@touch $@

clean:
	rm -rf $(VENV) build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis
