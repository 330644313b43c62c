# Every target makes its own .venv first, and again when pyproject.toml or constraints.txt has changed.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/installed
# Those that need no broker and no browser, and take seconds.
QUICK := $(wildcard tests/unit tests/property tests/scenarios)

.PHONY: help demo dev test bench check format constraints clean

help: ## Say what can be made
	@awk -F ':.*## ' '/^[a-z]+:.*## /{printf "make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

$(READY): pyproject.toml constraints.txt scripts/venv
	@scripts/venv

demo: $(READY) ## See the stories told and checked: broker, engine, sinks, gateway and simulated platforms
	@$(BIN)/writeback demo

dev: $(READY) ## Keep the demo's processes up until Ctrl-C, to try the README's commands
	@$(BIN)/writeback dev

test: $(READY) ## Run every test that this machine can run, and say what is left out and why
	@$(BIN)/pytest -rs $(PYTEST_ARGS)

bench: $(READY) ## Measure, on Apache Kafka (needs Java 17 and Maven), and write docs/benchmarks.md
	@$(BIN)/python -m benchmarks $(BENCH_ARGS)

check: $(READY) ## Format, lint, types, import directions and the quick tests, in under a minute
	@$(BIN)/mypy --no-error-summary & types=$$!; trap 'kill $$types 2>/dev/null || true' EXIT; \
	echo 'format'; $(BIN)/ruff format --check --quiet .; \
	echo 'lint'; $(BIN)/ruff check --quiet .; \
	echo 'import directions'; $(BIN)/lint-imports --no-logo; \
	echo 'quick tests'; $(BIN)/pytest $(QUICK) -n auto -m 'not (embedded or kafka or browser or slow)' $(PYTEST_ARGS); \
	echo 'types, begun with the rest'; wait $$types

format: $(READY) ## Format the code, and mend what the linter can
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .

constraints: $(READY) ## Write constraints.txt anew from what .venv holds
	@$(BIN)/python scripts/constraints.py > constraints.new
	@mv constraints.new constraints.txt
	@touch $(READY)

clean: ## Remove .venv and every cache
	@rm -rf $(VENV) build dist *.egg-info .mypy_cache .pytest_cache .ruff_cache .hypothesis .import_linter_cache
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +
