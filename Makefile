# Two commands do all: `make demo` and `make test`. Both make and use .venv/ in this checkout, with pip alone.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet

.PHONY: demo test soak lint types imports unit bench bench-aide clean help

help:
	@echo "make demo   set up, then two rounds of four agents on census-income, offline (recipes, no language model)"
	@echo "make test   set up, then lint, types, import contract and every test"
	@echo "make soak   kill one run's engine 200 times and see that nothing is lost or paid for twice"
	@echo "make bench-aide  race CoMind against the real aideml, which gets an environment of its own"
	@echo "make bench  measure engine, ranks, server and metrics; figures are in docs/"

demo: $(VENV)/.installed
	$(BIN)/comind-tui run census-income --offline --coders 4 --rounds 2 --time-limit 170s --state state

test: lint types imports unit

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
	$(BIN)/python -m pytest -n 2 --dist loadfile

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
