# Every task of a developer's day; `make help` lists them.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

.DEFAULT_GOAL := help

.PHONY: help
help: ## List these targets
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  %-12s %s\n", $$1, $$2}'

$(STAMP): pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt \
		--editable '.[api,worker,tokenizer,local,train,dev]'
	touch $@

.PHONY: install
install: $(STAMP) ## Create the virtual environment and install everything at locked versions

.PHONY: run
run: $(STAMP) ## Install, start the whole platform on embedded servers, print its URL
	$(BIN)/luminary up

.PHONY: train-smoke
train-smoke: $(STAMP) ## Train both models of the bundled model for a minute
	$(BIN)/python -m training.smoke

.PHONY: test
test: $(STAMP) lint ## Install, check style, types and layering, run every test
	@status=0; set -x; \
	$(BIN)/python -m pytest --numprocesses 2 --dist loadfile tests/unit tests/golden || status=1; \
	$(BIN)/python -m pytest tests/integration tests/acceptance tests/cuda || status=1; \
	exit $$status

.PHONY: lint
lint: $(STAMP) ## Check format, style, types and import contracts
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/basedpyright
	$(BIN)/lint-imports

.PHONY: format
format: $(STAMP) ## Format the code and mend what can be mended by itself
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

.PHONY: bench
bench: $(STAMP) ## Measure decoding beside transformers (needs a quiet machine, about ten minutes)
	$(BIN)/python -m benchmarks.engine --out docs/benchmarks/engine.json
	$(BIN)/python -m benchmarks.speculation --out docs/benchmarks/speculation.json
	$(BIN)/python -m benchmarks.tables docs/benchmarks/engine.json docs/benchmarks/speculation.json \
		docs/benchmarks/h100.json docs/benchmarks.md

.PHONY: hooks
hooks: ## Run the checks of `make lint` before every commit
	git config core.hooksPath .githooks

.PHONY: lock
lock: ## Write constraints.txt anew from a fresh environment with the newest allowed versions
	infra/lock.sh constraints.txt
