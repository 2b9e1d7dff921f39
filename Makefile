# make demo   a bundled run in a window; without a display, as pictures
# make test   lint, types, contracts, tests
# Everything else is a refinement of these two.

PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin
PIP    := $(BIN)/python -m pip --disable-pip-version-check install --quiet -c constraints.txt
# Extra pip flags for installing torch: PyTorch's install page names those of its small CPU builds.
TORCH_FLAGS ?=
DATA   ?=
# Files of tests in the order that tests/conftest.py gives them, longest first, so that both workers end together.
TWO_WORKERS := -q -n 2 --dist loadfile --no-loadscope-reorder
# The workers and the many processes that tests start compile each module once, even where the shell says otherwise.
BYTECODE := PYTHONDONTWRITEBYTECODE=

.PHONY: help demo demo-train gallery guide install dev test lint types contracts tests soak bench wheel clean

help:
	@sed -n 's/^# \(make .*\)/\1/p' Makefile
	@echo "make demo-train   train the bundled run again (DATA=folder of IDX files, or downloads MNIST)"
	@echo "make gallery      docs/gallery rendered again (DATA=folder of IDX files, or downloads MNIST)"
	@echo "make guide        docs/guide walked through again in a real window on a virtual screen"
	@echo "make soak         the long random tests with full numbers and a printed seed (NN3D_SEED=N repeats one)"
	@echo "make bench        the benchmarks, as tables"
	@echo "make wheel        dist/*.whl"

$(BIN)/python:
	@PYTHON=$(PYTHON) scripts/system-packages venv
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "nn3d needs Python 3.11 or newer, this is %s: make PYTHON=python3.12 ..." % sys.version.split()[0] or 0)'
	$(PYTHON) -m venv $(VENV)

$(VENV)/.core: $(BIN)/python pyproject.toml constraints.txt
	@scripts/system-packages gl
	$(PIP) -e .
	@touch $@

$(VENV)/.dev: $(VENV)/.core
	@scripts/system-packages test
	$(PIP) torch==$$(sed -n 's/^torch==//p' constraints.txt) $(TORCH_FLAGS)
	$(PIP) -e '.[dev]'
	@touch $@

install: $(VENV)/.core

dev: $(VENV)/.dev

demo: $(VENV)/.core
	@$(BIN)/nn3d demo -o out/demo

demo-train: $(VENV)/.dev
	$(BIN)/python demos/01_train_mnist.py $(if $(DATA),--data $(DATA))

gallery: $(VENV)/.dev
	$(BIN)/python scripts/gallery $(if $(DATA),--data $(DATA))

guide: $(VENV)/.dev
	$(BIN)/python scripts/guide

lint: $(VENV)/.dev
	$(BIN)/ruff check .

types: $(VENV)/.dev
	$(BIN)/mypy

contracts: $(VENV)/.dev
	$(BIN)/lint-imports

tests: $(VENV)/.dev
	$(BYTECODE) $(BIN)/python -m pytest $(TWO_WORKERS)

test: lint types contracts tests

soak: $(VENV)/.dev
	@seed=$${NN3D_SEED:-$$(od -An -N3 -tu4 /dev/urandom | tr -d ' ')}; \
	echo "soak with NN3D_SEED=$$seed"; \
	NN3D_SOAK=1 NN3D_SEED=$$seed $(BYTECODE) $(BIN)/python -m pytest $(TWO_WORKERS) -m soak || \
	{ echo "repeat it with: make soak NN3D_SEED=$$seed"; exit 1; }

bench: $(VENV)/.dev
	$(BIN)/python -m benchmarks

wheel: $(BIN)/python
	$(BIN)/python -m pip --disable-pip-version-check wheel --quiet --no-deps -w dist .

clean:
	rm -rf $(VENV) build dist out .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
