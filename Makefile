# Artesian's commands. A fresh machine needs Python 3.11 or newer and make, nothing else.

PYTHON ?= python3
JOBS ?= auto# test processes at once: as many as there are cores

BIN = .venv/bin
ENVIRONMENT = command -v $(PYTHON) >/dev/null || { \
	echo "There is no $(PYTHON) here: Artesian needs Python 3.11 or newer (make PYTHON=… names another one)." >&2; exit 1; }; \
	$(PYTHON) requirements/environment.py

.DEFAULT_GOAL := help
.PHONY: help run test fmt lint types bench soak lock clean

help: ## this list
	@sed -n 's/^\([a-z]*\):.*## /\1|/p' Makefile | awk -F '|' '{printf "make %-6s %s\n", $$1, $$2}'

run: ## install what is locked, once, and start the service with its built-in Bedrock
	@$(ENVIRONMENT) run
	@exec $(BIN)/artesian serve

test: lint types ## format check, lint, types and the whole test suite: what CI runs
	$(BIN)/pytest -n $(JOBS) --dist worksteal

fmt: ## put the code into the house's format, and mend what the linter can
	@$(ENVIRONMENT) test
	$(BIN)/ruff check --fix-only .
	$(BIN)/ruff format .

lint: ## format, lint and the directions of the imports
	@$(ENVIRONMENT) test
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/lint-imports --no-logo

types: ## mypy, strict
	@$(ENVIRONMENT) test
	$(BIN)/mypy

bench: ## what a delta, a request and a stream cost here
	@$(ENVIRONMENT) test
	$(BIN)/python -m bench

soak: ## the fault and crash suites, longer than a developer waits for
	@$(ENVIRONMENT) test
	$(BIN)/pytest -n $(JOBS) --dist worksteal -m soak --timeout 900

lock: ## put what pyproject.toml asks for into requirements/*.lock (UPGRADE=1: all anew; NOW=name: no waiting for it)
	@$(PYTHON) requirements/resolve.py $(if $(UPGRADE),--upgrade) $(addprefix --now ,$(NOW))

clean: ## remove what these commands made, the environment included
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache .coverage* htmlcov dist *.egg-info
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
