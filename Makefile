# Every task of a developer's day; `make help` lists them.
# a Python of your own; without one, the newest that is found
PYTHON ?=
VENV ?= .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

.DEFAULT_GOAL := help

.PHONY: help
help: ## List these targets
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  %-12s %s\n", $$1, $$2}'

$(STAMP): pyproject.toml constraints.txt
	@infra/make_environment.sh $(VENV) $(PYTHON)
	@touch $@

.PHONY: install
install: $(STAMP) ## Make the environment and install everything at locked versions (2.3 GB, about 100 s)

.PHONY: run
run: $(STAMP) ## Install, start the whole platform on embedded servers, print its URL
	$(BIN)/luminary up

.PHONY: train-smoke
train-smoke: $(STAMP) ## Run every stage of training at toy sizes (half a minute)
	$(BIN)/python -m training.smoke

.PHONY: test
test: $(STAMP) style ## Install, check style, types and layering, run the tests
	@$(MAKE) --no-print-directory --jobs 2 types tests

# the parts of `test` and `lint`; types and tests run side by side, because tests often wait
.PHONY: style types tests
tests: $(STAMP)
	$(BIN)/python -m pytest --numprocesses 3 --dist loadgroup --no-loadscope-reorder --durations 20 \
		-m "not long" tests/acceptance tests/integration tests/golden tests/unit tests/cuda

.PHONY: test-long
test-long: $(STAMP) ## Run the tests that `make test` leaves out: more kills, training in two processes (minutes)
	$(BIN)/python -m pytest --numprocesses 2 --dist loadgroup --no-loadscope-reorder --durations 20 \
		-m long tests/acceptance tests/integration tests/golden tests/unit

.PHONY: test-fast
test-fast: $(STAMP) ## Check style and layering, run the quick unit tests (under two minutes)
	@$(MAKE) --no-print-directory style
	$(BIN)/python -m pytest --numprocesses 2 --dist loadfile -m "not slow" tests/unit

.PHONY: test-packaging
test-packaging: $(STAMP) ## Build the wheel, install every extra alone and start its service (minutes)
	$(BIN)/python -m pytest tests/packaging

# the schemas of Kubernetes are an extra of their own: 23 MB
.PHONY: kubernetes
kubernetes: $(STAMP) ## Render the overlays and check them against schemas; CRD_SCHEMAS=FOLDER has those of operators
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[kubernetes]'
	$(BIN)/python -m pytest tests/kubernetes tests/unit/infra/test_kubernetes.py

.PHONY: containers
containers: $(STAMP) ## Build all images, run the compose file, kill a worker in it (root and podman; minutes)
	$(BIN)/python -m pytest --capture=no tests/containers

# the last release is the newest tag; before the first, it is the code before the newest migration
RELEASE ?= $(shell git describe --tags --abbrev=0 2>/dev/null || \
	git log -1 --format=%H^ -- $(lastword $(sort $(wildcard migrations/versions/0*.py))))

.PHONY: upgrade
upgrade: $(STAMP) ## Upgrade from RELEASE and go back under 100 jobs, schema and code (minutes)
	RELEASE=$(RELEASE) $(BIN)/python -m pytest tests/upgrade

# npm installs the packages that tests/clients/package.json pins
.PHONY: clients
clients: $(STAMP) ## Run OpenAI's Python and Node packages and the AI SDK on a platform (Node.js 20, npm; minutes)
	$(BIN)/python -m pytest tests/clients

.PHONY: network
network: $(STAMP) ## Lose packets and cut links between hosts in network namespaces (root, iproute2, nftables)
	unshare --net $(BIN)/python -m pytest tests/network

.PHONY: chaos
chaos: $(STAMP) ## Kill and freeze every process 60 times under jobs, compare every picture (ten minutes)
	$(BIN)/python -m tests.chaos --seed $(or $(SEED),1) --faults $(or $(FAULTS),60)

.PHONY: pages
pages: $(STAMP) ## Write what is made of other files anew: tables in docs, rules for Kubernetes
	$(BIN)/python -m infra.local.settings_table docs/operations.md
	$(BIN)/python -m services.api.problems.page > docs/problems.md
	$(BIN)/python -m infra.prometheus_rules infra/observability/prometheus/rules \
		infra/kubernetes/components/monitoring/alerts.yaml

.PHONY: migration
migration: $(STAMP) ## Write the next migration from the tables: make migration NAME="jobs know their colour"
	$(BIN)/python -m infra.local.new_migration "$(or $(NAME),$(error say what changes: make migration NAME="..."))"

.PHONY: lint
lint: $(STAMP) style types ## Check format, style, types and import contracts

style: $(STAMP)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/lint-imports
	$(BIN)/python -m infra.secret_check

types: $(STAMP)
	$(BIN)/basedpyright

.PHONY: audit
audit: $(STAMP) ## Look up known vulnerabilities of the locked packages, and secrets in the history
	$(BIN)/python -m infra.secret_check --history
	$(BIN)/python -m infra.audit

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
