# Every target makes its own environment from a bare python3: nothing else need be installed.
PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin
SOURCES := pyproject.toml $(shell find streamarena -name "*.pyx" -o -name "*.pxd")
STAMP  := $(VENV)/.made-from-$(shell cat $(SOURCES) | cksum | cut -d" " -f1)
EXTRAS := cli,openai,anthropic,tokens,modes,import,testing

.PHONY: demo test test-all check bench criteria check-native clean help
.DEFAULT_GOAL := help

help: ## list the targets
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

$(STAMP): $(SOURCES)
	@PYTHON="$(PYTHON)" VENV="$(VENV)" EXTRAS="$(EXTRAS)" sh .ci/make-venv
	@touch $@

demo: $(STAMP) ## install, then run hundreds of real streams against an embedded fake model server
	@$(BIN)/streamarena demo

test: $(STAMP) ## install, then run the tests
	@$(BIN)/python -m pytest -q

test-all: ## the tests on every CPython from 3.11 that this machine has
	@PYTHON="$(PYTHON)" sh .ci/test-all

check: $(STAMP) ## ruff, mypy strict, pyright strict, architecture
	@$(BIN)/ruff check . && $(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/pyright
	@$(BIN)/python -m pytest -q tests/architecture

bench: $(STAMP) ## the measured tables of README, from perf/
	@$(BIN)/python -m perf

soak: $(STAMP) ## five minutes of streams under chaos; fails where anything grows
	@$(BIN)/python -m perf.macro.soak

criteria: $(STAMP) ## the user's success criteria with what was measured
	@$(BIN)/python -m perf.criteria

check-native: $(STAMP) ## the compiled modules under valgrind, where it is installed
	@VENV="$(VENV)" sh .ci/check-native

clean: ## remove everything that the other targets made
	@rm -rf .venv .venv-* build dist *.egg-info adapters/*.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis
	@find streamarena adapters tests perf examples -name __pycache__ -type d -prune -exec rm -rf {} +
	@find streamarena -name '*.so' -delete
