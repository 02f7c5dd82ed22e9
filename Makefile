# Needs Python 3.11 to 3.13 and make; everything else goes into .venv.
PYTHON ?= python3
RUN = .venv/bin/python
PIP = $(RUN) -m pip install --quiet --disable-pip-version-check --constraint constraints.txt

.PHONY: demo test test-long clean

demo: .venv/installed  ## train and evaluate the complete CP-CNN on a generated crowd
	$(RUN) launch.py --config=experiments/demo.py --workdir=runs/demo

test: .venv/installed-test  ## ruff and the test suite
	$(RUN) -m ruff check .
	$(RUN) -m ruff format --check .
	$(RUN) -m pytest -m "not long"

test-long: .venv/installed-test  ## the tests that take minutes
	$(RUN) -m pytest -m long

.venv/bin/python:
	$(PYTHON) -c 'import sys; v = sys.version_info[:2]; (3, 11) <= v <= (3, 13) or sys.exit("cpcnn_jax needs Python 3.11 to 3.13, this is %d.%d: make PYTHON=python3.11 ..." % v)'
	$(PYTHON) -m venv .venv

.venv/installed: .venv/bin/python constraints.txt setup.cfg pyproject.toml
	$(PIP) --editable .
	touch $@

.venv/installed-test: .venv/installed
	$(PIP) --editable '.[test]'
	touch $@

clean:
	rm -rf .venv runs
