# Needs python3 (3.11 or 3.12) with venv, and make. Everything else is installed into .venv, hash-checked.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
unexport PYTHONDONTWRITEBYTECODE  # a dozen processes would each compile the package anew

.PHONY: demo test serve lint bench mutate fuzz faults prove-defences screenshots format schemas lock clean

$(STAMP): requirements.lock pyproject.toml
	@echo "Installing into $(VENV) (first use, or the lock changed) ..."
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

demo: $(STAMP)
	@$(BIN)/python -m service demo --report report.html

test: $(STAMP)
	@$(BIN)/python -m pytest -n auto --dist loadfile --no-loadscope-reorder $(ARGS)

serve: $(STAMP)
	@$(BIN)/python -m service serve --seed --sample-platform 8001

lint: $(STAMP)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m service schemas check

bench: $(STAMP)
	@$(BIN)/python -m tests.bench $(ARGS)

mutate: $(STAMP)
	@$(BIN)/python -m tests.mutation $(ARGS)

fuzz: $(STAMP)
	@$(BIN)/python -m tests.fuzz $(ARGS)

faults: $(STAMP)
	@GOODSTANDING_FAULTS=long $(BIN)/python -m pytest tests/faults $(ARGS)

prove-defences: $(STAMP)
	@$(BIN)/python -m tests.faults.defences $(ARGS)

screenshots: $(STAMP)
	@$(BIN)/python -m tests.browser.screenshots

format: $(STAMP)
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

schemas: $(STAMP)
	$(BIN)/python -m service schemas write

lock:
	uv pip compile pyproject.toml --extra test --universal --python-version 3.11 --generate-hashes \
	  --no-emit-index-url --no-header -q -o requirements.lock

clean:
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis report.html
