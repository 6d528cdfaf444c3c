# Everything is set up in .venv: a machine with Python 3.11 and make needs nothing else.

PYTHON ?= $(shell command -v python3.11 || command -v python3)
BIN := .venv/bin
READY := .venv/ready
export OMP_NUM_THREADS ?= 1
export PIP_DISABLE_PIP_VERSION_CHECK = 1

.PHONY: demo test check docs wheel clean

demo: $(READY)
	mkdir -p demo
	$(BIN)/archdsl build specs/googlenet.yaml --summary
	$(BIN)/archdsl diagram specs/googlenet.yaml -o demo/googlenet.svg
	$(BIN)/archdsl build specs/googlenet.yaml -o demo/googlenet.py
	$(BIN)/python examples/demo.py
	rm -rf demo/lenet && $(BIN)/archdsl train specs/lenet.yaml --folder demo/lenet

test: $(READY)
	PATH="$(CURDIR)/$(BIN):$$PATH" scripts/check --full

check: $(READY)
	PATH="$(CURDIR)/$(BIN):$$PATH" scripts/check

docs: $(READY)
	$(BIN)/python scripts/make_site.py

wheel: $(READY)
	$(BIN)/python -m pip wheel --no-deps --wheel-dir dist .

clean:
	rm -rf .venv build demo dist docs/gallery docs/reference .mypy_cache .pytest_cache .ruff_cache

$(READY): pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[dev]'
	$(BIN)/python -m compileall -q archdsl  # quick starts even where Python is told to write no bytecode
	touch $(READY)
