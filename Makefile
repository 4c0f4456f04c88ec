# Artesian's commands. A fresh machine needs Python 3.11 or newer and make, nothing else.

PYTHON ?= python3
JOBS ?= auto# number of test processes; auto: one per core

BIN = .venv/bin
ENVIRONMENT = command -v $(PYTHON) >/dev/null || { \
	echo "There is no $(PYTHON) here: Artesian needs Python 3.11 or newer (make PYTHON=… names another one)." >&2; exit 1; }; \
	$(PYTHON) requirements/environment.py

.DEFAULT_GOAL := help
.PHONY: help run test quick fmt lint types bench soak lock clean

help: ## list the commands
	@sed -n 's/^\([a-z]*\):.*## /\1|/p' Makefile | awk -F '|' '{printf "make %-6s %s\n", $$1, $$2}'

run: ## install the locked packages once, and start the service with the local Bedrock
	@$(ENVIRONMENT) run
	@exec $(BIN)/artesian serve

test: lint types ## format check, lint, types and the whole test suite (COVERAGE=1 measures it, as CI does)
	$(BIN)/pytest -n $(JOBS) --dist worksteal $(if $(COVERAGE),-m "not soak and not counts" --cov)
	$(if $(COVERAGE),$(BIN)/pytest -m counts)

quick: lint types ## format check, lint, types and the tests that start no other process: before every commit
	$(BIN)/pytest -n $(JOBS) --dist worksteal -m "not soak and not processes and not slow"

fmt: ## format the code and apply the linter's automatic fixes
	@$(ENVIRONMENT) test
	$(BIN)/ruff check --fix-only .
	$(BIN)/ruff format .

lint: ## check format, lint and import directions
	@$(ENVIRONMENT) test
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/lint-imports --no-logo

types: ## check types with mypy --strict
	@$(ENVIRONMENT) test
	$(BIN)/mypy

bench: ## measure the cost of a delta, a request and a stream
	@$(ENVIRONMENT) test
	$(BIN)/python -m bench

soak: ## the fault and crash suites, and property tests with many examples
	@$(ENVIRONMENT) test
	$(BIN)/pytest -n $(JOBS) --dist worksteal -m "soak or hypothesis" --hypothesis-profile soak --timeout 900

lock: ## resolve pyproject.toml into requirements/*.lock (UPGRADE=1: newest versions; NOW=name: without the waiting period)
	@$(PYTHON) requirements/resolve.py $(if $(UPGRADE),--upgrade) $(addprefix --now ,$(NOW))

clean: ## remove what these commands created, including the environment
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache .coverage* htmlcov dist *.egg-info
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
