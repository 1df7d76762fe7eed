# The commands a person needs; `make` alone lists them.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
export PATH := $(CURDIR)/$(BIN):$(PATH)

.PHONY: help demo test check format docs wheel-test bench lock up down clean

help: ## list these commands
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /  make \1\t/' | expand -t 16

# The environment: a venv, uv inside it, and exactly what requirements.lock says, compiled once for all processes.
$(READY): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "Clapboard needs Python 3.11 or newer; name one with: make PYTHON=python3.12 $(MAKECMDGOALS)"; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@test -x $(BIN)/uv || $(BIN)/python -m pip install --quiet --disable-pip-version-check uv
	$(BIN)/uv pip sync --quiet --require-hashes --compile-bytecode --python $(BIN)/python requirements.lock
	$(BIN)/uv pip install --quiet --no-deps --no-build-isolation --python $(BIN)/python --editable .
	@touch $@

demo: $(READY) ## draw videos, curate, review, train, animate; opens nothing, prints where all is
	$(BIN)/clapboard demo

test: check ## lint, types, import direction, then every test
	$(BIN)/pytest -n auto --dist loadfile --no-loadscope-reorder

check: $(READY) ## what must hold before a commit
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy --num-workers auto
	$(BIN)/lint-imports --no-cache
	$(BIN)/python tools/lock.py --check
	$(BIN)/python tools/docs.py --check

format: $(READY) ## sort imports, format, mend what can be mended
	$(BIN)/ruff check --fix-only .
	$(BIN)/ruff format .

docs: $(READY) ## write the pages that come from the code
	$(BIN)/python tools/docs.py

wheel-test: $(READY) ## build the wheel, install it with plain pip in an empty environment, run the demo there
	rm -rf build/wheel && mkdir -p build/wheel
	$(BIN)/uv build --quiet --wheel --no-build-isolation --python $(BIN)/python --out-dir build/wheel
	$(PYTHON) -m venv build/wheel/venv
	build/wheel/venv/bin/pip install --quiet build/wheel/clapboard-*.whl
	cd build/wheel && env -u VIRTUAL_ENV PATH=/usr/bin:/bin venv/bin/clapboard doctor \
	  && venv/bin/clapboard demo --quick --home demo

bench: $(READY) ## the benchmarks by name; measure one with: make bench NAME=analysis
	$(BIN)/clapboard bench $(NAME)

lock: $(READY) ## resolve the dependencies anew into requirements.lock
	$(BIN)/python tools/lock.py

up: $(READY) ## start server, workers and review page of the default home; Ctrl-C or `make down` stops all
	$(BIN)/clapboard up

down: $(READY) ## stop what `make up` started
	$(BIN)/clapboard down

clean: ## remove the environment (data stays)
	rm -rf $(VENV)
