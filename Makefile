# Two commands: make train, make test.  Both set everything up in .venv first.
PYTHON ?= python3
PYTHON38 ?= python3.8
VENV ?= .venv
ENV ?= Humanoid
STEPS ?= 1000000
ARGS ?=
CUDA ?= cuda13
SIMULATED ?=
RUN = $(VENV)/bin/python

# Chainer 7.8.1 is built from source and needs a setuptools that still has
# pkg_resources.  Old pips read the first variable, new ones the second.
export PIP_CONSTRAINT = build-constraints.txt
export PIP_BUILD_CONSTRAINT = build-constraints.txt
export PIP_DISABLE_PIP_VERSION_CHECK = 1

.PHONY: help train test test-long test-notebooks test-gpu bench-gpu test-chainerrl test-chainerrl-own record-chainerrl lint docs docs-links notebooks wheel release clean

help: ## Show this.
	@grep -E '^[a-z-]+:.*##' Makefile | sed 's/:.*## /\t/' | expand -t 18

$(VENV)/.ok: setup.py pyproject.toml build-constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(RUN) -m pip install -q -e '.[test]'
	touch $@

train: $(VENV)/.ok ## Train TRPO: ENV=Humanoid STEPS=1000000 ARGS='--seed 1'.
	$(RUN) -m chainertrpo train --env $(ENV) --steps $(STEPS) $(ARGS)

test: $(VENV)/.ok ## Run the tests (under 5 minutes on 2 cores).
	$(RUN) -m pytest -n auto --maxprocesses 4 --dist worksteal $(ARGS)

test-long: $(VENV)/.ok ## Run whole programs from end to end, killed and resumed.
	$(RUN) -m pytest -m 'long and not gpu' -n auto --maxprocesses 4 --dist worksteal $(ARGS)

test-notebooks: $(VENV)/.ok ## Run the notebooks from top to bottom.
	$(RUN) -m pytest -m notebooks -n auto --maxprocesses 4 $(ARGS)

$(VENV)/.gpu: $(VENV)/.ok
	$(RUN) -m pip install -q -e '.[test,$(CUDA)]'
	touch $@

ifeq ($(SIMULATED),)
test-gpu: $(VENV)/.gpu ## Run the GPU tests: CUDA=cuda13 or cuda12; SIMULATED=1 without a GPU.
	$(RUN) -m pytest -m gpu $(ARGS)
else # CuPy's rules on NumPy; kernels are compiled by g++
test-gpu: $(VENV)/.ok
	PYTHONPATH=$(CURDIR)/tests/cupy_on_cpu $(RUN) -W error -m pytest -m gpu \
		-n auto --maxprocesses 4 --dist worksteal $(ARGS)
endif

bench-gpu: $(VENV)/.gpu ## Time products and updates on a GPU beside the CPU's.
	$(RUN) benchmarks/gpu.py $(ARGS)

.venv-chainerrl/.ok: tests/chainerrl/requirements.txt build-constraints.txt
	$(PYTHON38) -m venv --clear .venv-chainerrl
	.venv-chainerrl/bin/python -m pip install -q -r tests/chainerrl/requirements.txt
	touch $@

test-chainerrl: .venv-chainerrl/.ok ## Let ChainerRL 0.8's own loops drive TRPO (PYTHON38).
	PYTHONPATH=. .venv-chainerrl/bin/python -m pytest \
		--confcutdir=tests/chainerrl tests/chainerrl $(ARGS)

.venv-chainerrl/own/tests: .venv-chainerrl/.ok
	rm -rf .venv-chainerrl/own
	git clone -q --depth 1 --branch v0.8.0 \
		https://github.com/chainer/chainerrl .venv-chainerrl/own

test-chainerrl-own: .venv-chainerrl/own/tests ## Run ChainerRL's own tests of TRPO and PPO on ours.
	PYTHONPATH=.:tests/chainerrl .venv-chainerrl/bin/python -m pytest -q \
		-c /dev/null --rootdir .venv-chainerrl -p ours -k fast_cpu \
		.venv-chainerrl/own/tests/agents_tests/test_trpo.py \
		.venv-chainerrl/own/tests/agents_tests/test_ppo.py $(ARGS)

record-chainerrl: .venv-chainerrl/.ok ## Record ChainerRL's updates in tests/parity.
	SETUPTOOLS_USE_DISTUTILS=stdlib .venv-chainerrl/bin/python tests/parity/record_chainerrl.py
	SETUPTOOLS_USE_DISTUTILS=stdlib .venv-chainerrl/bin/python tests/parity/record_chainerrl_recurrent.py

$(VENV)/.dev: $(VENV)/.ok
	$(RUN) -m pip install -q -e '.[dev]'
	touch $@

lint: $(VENV)/.dev ## Check style, docstrings, formatting and types.
	$(RUN) -m ruff check .
	$(RUN) -m ruff format --check .
	$(RUN) -m mypy

$(VENV)/.docs: $(VENV)/.ok
	$(RUN) -m pip install -q -e '.[docs]'
	touch $@

SPHINX = $(RUN) -m sphinx -q -W --keep-going -c docs -d docs/_build/doctrees

docs: $(VENV)/.docs ## Build the site in docs/_build/html, and check its links.
	rm -rf docs/_build # pages of sources that have changed names stay otherwise
	$(SPHINX) -b html . docs/_build/html
	$(RUN) docs/check_links.py docs/_build/html

docs-links: $(VENV)/.docs ## Follow the site's links to other hosts too; needs internet.
	$(SPHINX) -b linkcheck . docs/_build/links

notebooks: $(VENV)/.ok ## Run the notebooks and store their outputs.
	$(RUN) notebooks/store_outputs.py

wheel: ## Build the wheel, and check it alone on Python 3.8 and 3.13.
	.ci/wheel

release: ## Check everything a release needs, build it, and tag it.
	.ci/release

clean: ## Remove what make built.
	rm -rf .venv .venv-* docs/_build build dist *.egg-info
