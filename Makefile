# The one Makefile. `make demo` and `make test` need Python >= 3.11, make and a package index, nothing else.
#
#   make demo        install into .venv, run the main job on real ab-initio data, write demo/vse2.nc and demo/vse2.png
#   make test        install with the test tools, run the tests (ARGS="-k name" is passed to pytest)
#   make test-long   the tests that take minutes; some need Chromium with its driver, a PostgreSQL server, or Debian's wannier90
#   make bench       measure, and write the handbook's page of speed again, a quarter of an hour on a quiet machine
#   make lint        ruff and mypy --strict
#   make examples    run every examples/*.py
#   make validation  compute tests/tools/VALIDATION.md again, two minutes, and POCKETS.md, half an hour on two cores
#   make published   compute the handbook's page of published numbers again, half a minute; WANNIER90=FOLDER names a checkout
#                    of Wannier90, whose tests have some of them
#   make docs        build the handbook as HTML: build/handbook/index.html
#   make references  compute the reference values of the library's entries again, a minute
#   make clean       remove what make made
#
# Another interpreter or place: make test PYTHON=python3.12 VENV=.venv312

PYTHON ?= python3
VENV ?= .venv
ARGS ?=
# a process for each core; who is done takes over tests of the others
PARALLEL ?= -n logical --dist worksteal
BIN := $(abspath $(VENV))/bin

# one thread per process: the matrices are small, threads would only fight over the cores
export OPENBLAS_NUM_THREADS := 1
export OMP_NUM_THREADS := 1
export MKL_NUM_THREADS := 1
export MPLBACKEND := Agg
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.DEFAULT_GOAL := help
.PHONY: help demo test test-long bench lint examples docs validation published references clean
.DELETE_ON_ERROR:

help:
	@sed -n 's/^#   //p' Makefile

# A stamp is written last, so that whatever was interrupted is done again, and nothing else is.
$(VENV)/.created:
	@$(PYTHON) -c 'import sys' 2>/dev/null || { echo "error: no $(PYTHON) here; name a Python >= 3.11: make $(MAKECMDGOALS) PYTHON=/path/to/python3.12"; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
		echo "error: $(PYTHON) is $$($(PYTHON) -V 2>&1), but Python >= 3.11 is needed: make $(MAKECMDGOALS) PYTHON=/path/to/python3.12"; exit 1; }
	@$(PYTHON) -m venv --clear $(VENV) || { \
		echo "error: $(PYTHON) -m venv failed; on Debian and Ubuntu: apt-get install python3-venv"; exit 1; }
	@touch $@

$(VENV)/.installed: pyproject.toml $(VENV)/.created
	$(BIN)/python -m pip install --quiet --editable .
	@touch $@

$(VENV)/.installed-%: pyproject.toml $(VENV)/.created
	$(BIN)/python -m pip install --quiet --editable '.[$*]'
	@touch $@ $(VENV)/.installed

demo: $(VENV)/.installed
	@mkdir -p demo
	$(BIN)/ome-wannier run vse2 -o demo/vse2.nc --plot demo/vse2.png

test: $(VENV)/.installed-test
	$(BIN)/python -m pytest $(PARALLEL) $(ARGS)

# those that measure speed, or must get far in some seconds, have the machine to themselves; pytest's 5: none is chosen
test-long: $(VENV)/.installed-test-long
	$(BIN)/python -m pytest -m 'long and not alone' $(PARALLEL) $(ARGS) || [ $$? = 5 ]
	$(BIN)/python -m pytest -m 'long and alone' $(ARGS) || [ $$? = 5 ]

bench: $(VENV)/.installed-test
	$(BIN)/python tests/benchmarks/bench.py $(ARGS)

# not materials/*/dft: those scripts are records of what was run
lint: $(VENV)/.installed-dev
	$(BIN)/ruff check ome_wannier tests examples
	$(BIN)/ruff format --check ome_wannier tests examples
	$(BIN)/mypy

examples: $(VENV)/.installed
	@set -e; mkdir -p demo; cd demo; for f in ../examples/*.py; do echo "== $$f"; $(BIN)/python $$f; done

docs: $(VENV)/.installed-docs
	$(BIN)/python tests/tools/handbook/build.py build/handbook

validation: $(VENV)/.installed-test
	$(BIN)/python tests/tools/generate.py
	$(BIN)/python tests/tools/pockets.py --problems 500 --seed 0 --page

published: $(VENV)/.installed-test
	$(BIN)/python -W ignore tests/tools/published.py

references: $(VENV)/.installed-test
	$(BIN)/python -W ignore tests/tools/references.py

clean:
	rm -rf $(VENV) demo build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis .benchmarks .coverage
	find . -name __pycache__ -not -path './.git/*' -prune -exec rm -rf {} +
