PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
STAMP  := $(VENV)/.installed

.DEFAULT_GOAL := help
.PHONY: help setup demo fmt lint types imports test soak bench docs lambda-zip check clean

help: ## list the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /\1\t/' | expand -t 12

setup: $(STAMP) ## make the virtual environment and install everything

$(STAMP): pyproject.toml setup.py constraints.txt src/trailwatch/detect/_glance.pyx src/trailwatch/detect/_columns.pyx
	test -x $(BIN)/python || tools/make-venv $(PYTHON) $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[dev]'
	@touch $(STAMP)

demo: setup ## catch an intruder in a simulated account
	$(BIN)/python -m demo

fmt: setup ## format the code
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix --quiet .

lint: setup ## style and layout
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: setup ## mypy --strict
	$(BIN)/mypy

imports: setup ## the borders between the packages
	$(BIN)/lint-imports

test: setup ## every test but the soak
	$(BIN)/pytest -n 2 --dist worksteal -m "not soak"

soak: setup ## the long runs: kills, faults, big corpora
	$(BIN)/pytest -m soak --timeout 7200

bench: setup ## ratios of speed, each pair taken in one run
	$(BIN)/python -m bench

docs: setup ## generated reference pages
	$(BIN)/python docs/generate.py

lambda-zip: setup ## the package of the AWS Lambda function; ARGS="--help" says what else goes in
	$(BIN)/python tools/lambda_zip.py $(ARGS)

check: lint types imports test ## everything that CI runs

clean: ## remove what was built
	rm -rf $(VENV) build dist src/*.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis .demo .bench
