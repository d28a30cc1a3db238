# Every target works from a fresh clone: it prepares .venv first (seconds when that is done already).
# Nothing here may depend on the path of the checkout, which may hold spaces: no file targets.

.DEFAULT_GOAL := help
.PHONY: help setup demo test soak clean

# Another environment, active or half configured, must not reach ours.
unexport PYTHONPATH PYTHONHOME PYTHONOPTIMIZE PYTHONSAFEPATH PYTHONWARNINGS VIRTUAL_ENV

PYTHON := .venv/bin/python

help:
	@echo "make setup   prepare the environment in .venv (the other targets do it themselves)"
	@echo "make demo    calibrate and replay a simulated participant, from nothing to a decision"
	@echo "make test    lint, types and tests; the last line is the result"
	@echo "make soak    the long checks, up to an hour"
	@echo "make clean   remove .venv and everything that was generated"
	@echo
	@echo "RTBCI_PYTHON=/path/to/python make setup   chooses the interpreter (3.11 or newer)"

setup:
	@sh scripts/setup.sh

demo: setup
	@$(PYTHON) -m sims.demo

test: setup
	$(PYTHON) -m ruff check .
	$(PYTHON) -m ruff format --check .
	$(PYTHON) -m pyright --pythonpath $(PYTHON)
	$(PYTHON) -m pytest -n 2

soak: setup
	@$(PYTHON) -m tests.soak

clean:
	rm -rf .venv .pytest_cache .ruff_cache build dist demo .soak
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
