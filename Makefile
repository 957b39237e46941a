# The two commands: `make demo` and `make test`. Everything installs from hashed lock files into .venv.
SHELL := /bin/bash
PYTHON ?= python3
VENV := .venv
PORT ?= 8080
BIN := $(VENV)/bin
# Bytecode makes Airflow and Great Expectations start three times faster: never switch it off here.
unexport PYTHONDONTWRITEBYTECODE
export PATH := $(CURDIR)/$(BIN):$(PATH)

.PHONY: help install install-dev demo linked serve ui test check docs lock clean mutants

help: ## show this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

$(BIN)/uv: requirements-uv.lock
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --require-hashes -r requirements-uv.lock

$(VENV)/.installed: $(BIN)/uv requirements.lock
	uv pip install --python $(BIN)/python --require-hashes --compile-bytecode -r requirements.lock
	uv pip install --python $(BIN)/python --no-deps --no-build-isolation --quiet -e .
	touch $@

$(VENV)/.installed-dev: $(BIN)/uv requirements-dev.lock
	uv pip install --python $(BIN)/python --require-hashes --compile-bytecode -r requirements-dev.lock
	uv pip install --python $(BIN)/python --no-deps --no-build-isolation --quiet -e .
	touch $@ $(VENV)/.installed

install: $(VENV)/.installed ## install what running needs
install-dev: $(VENV)/.installed-dev ## install what testing needs, too

demo: install ## run the main job through real Airflow on synthetic data and publish the site
	python -m deploy.local.demo

linked: install ## the same with records of two custodians about the same people: people at risk of emergency admission
	python -m deploy.local.demo --editions people-at-risk/2021 people-at-risk-for-county/2021

serve: install ## show the published site on this machine
	dp-stats site serve

ui: install ## start Airflow with the same DAGs on this machine and print the login
	python -m deploy.local.ui --port $(PORT)

check: install-dev ## lint, types, import contracts and unit tests, in about two minutes
	ruff check . && ruff format --check .
	mypy
	lint-imports --no-cache
	pytest tests/unit -m "not slow" -n 2

test: install-dev ## every test: also properties, statistics, real Airflow, PostgreSQL and a browser
	ruff check . && ruff format --check .
	mypy
	lint-imports --no-cache
	pytest tests -n 2 --dist loadfile --no-loadscope-reorder

docs: install-dev ## build the documentation into build/docs; a broken link or an undescribed field stops it
	NO_MKDOCS_2_WARNING=1 mkdocs build

mutants: install-dev ## which small changes of the trust core would no test notice (hours; MODULES=… for some; goes on where it stopped)
	python tests/mutants.py $(MODULES)

lock: $(BIN)/uv ## resolve the lock files again
	uv pip compile pyproject.toml build.in --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --no-annotate --quiet -o requirements.lock
	uv pip compile pyproject.toml build.in --extra dev -c requirements.lock --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --no-annotate --quiet -o requirements-dev.lock
	echo uv | uv pip compile - --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --no-annotate --quiet -o requirements-uv.lock

clean: ## remove the environment and caches
	rm -rf $(VENV) .mutants .mypy_cache .ruff_cache .pytest_cache .hypothesis
