# Two commands matter: `make run` shows the product at work, `make test` proves it.
.PHONY: run test check fix docs soak clean

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
LLAMA := $(shell sed -n 's/^llama = \["llama-cpp-python == \([^"]*\)".*/\1/p' pyproject.toml)
SOURCES := pyproject.toml __init__.py $(shell find server completion indexing escalation -type f -not -path '*/__pycache__/*')

run: $(VENV)/installed
	@$(BIN)/wicket demo

test: check $(VENV)/counterparts
	$(BIN)/python -m pytest

check: $(VENV)/tools
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/pyright --pythonpath $(BIN)/python

fix: $(VENV)/tools
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

docs: $(VENV)/installed
	$(BIN)/python docs/write_reference.py

soak: $(VENV)/tools
	$(BIN)/python -m pytest -m soak

clean:
	rm -rf $(VENV) build *.egg-info

$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)

# The wheel is what users get, so the wheel is what runs and what is tested: it is built
# and installed again when a source file has changed.
$(VENV)/installed: $(SOURCES) $(VENV)/llama
	rm -rf build
	$(BIN)/python -m pip install --quiet --find-links "$$(cat $(VENV)/llama)" ".[llama,languages]"
	$(BIN)/python -m pip install --quiet --no-deps --force-reinstall .
	@rm -rf build *.egg-info
	@touch $@

$(VENV)/llama: pyproject.toml .ci/llama-wheel | $(VENV)/bin/python
	.ci/llama-wheel $(BIN)/python $(LLAMA) > $@.part
	mv $@.part $@

$(VENV)/tools: $(VENV)/installed
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet --group dev --group servers
	@touch $@

# Real editors and a real llama-server, beside the system and outside the checkout.
$(VENV)/counterparts: .ci/neovim .ci/vscode .ci/llama-server | $(VENV)/tools
	.ci/neovim
	.ci/vscode
	.ci/llama-server $(BIN)/python $(LLAMA)
	@touch $@
