# Every target does its own set-up: a virtual environment in .venv, made once and brought up to date
# when pyproject.toml or the constraints change. `make PYTHON=python3.12 test` chooses the interpreter.

PYTHON ?= python3
WORKERS ?= 2
PYTEST_ARGS ?=
VENV := .venv
PY := $(VENV)/bin/python
PIP := $(PY) -m pip --disable-pip-version-check install --quiet
PINS := constraints/tests.txt
EXAMPLES := $(wildcard examples/*.py)
# Arguments of examples that take minutes as they stand.
ARGS_budget_forest_boosting.py := --rows 1000 --units 9

# One core for each worker: more threads than cores only wait for each other.
export OMP_NUM_THREADS ?= 1
export OPENBLAS_NUM_THREADS ?= 1

.DEFAULT_GOAL := help
.PHONY: help quickstart examples test test-slow test-gpu test-oldest lint format \
	bench bench-utilisation bench-dispatch bench-threads bench-scale bench-journal bench-samplers bench-ablation bench-tables bench-sampler-time bench-overhead bench-cmaes bench-units bench-budgets \
	bench-checkpoints bench-iterator bench-nets-together bench-gpu bench-racing clean

help:  ## This list
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/\1|\2/p' $(MAKEFILE_LIST) | column -t -s '|'

$(PY):
	$(PYTHON) -m venv $(VENV)

# .venv/.<extra> is the stamp of an installed extra; .venv/.core that of the package alone.
$(VENV)/.core: $(PY) pyproject.toml $(PINS)
	$(PIP) --editable . --constraint $(PINS)
	@touch $@

$(VENV)/.%: $(PY) pyproject.toml $(PINS)
	$(PIP) --editable ".[$*]" --constraint $(PINS)
	@touch $@

quickstart: $(VENV)/.core  ## Search a support vector machine on digits, four ways
	$(PY) examples/quickstart.py

examples: $(VENV)/.test  ## Run all examples
	@set -e; $(foreach example,$(EXAMPLES),\
		echo "== $(example)"; $(PY) $(example) $(ARGS_$(notdir $(example)));)

test: $(VENV)/.test  ## Tests and doctests
	$(PY) -m pytest -n $(WORKERS) --dist loadgroup $(PYTEST_ARGS)

test-slow: $(VENV)/.test  ## Statistical tests that take minutes
	$(PY) -m pytest -n $(WORKERS) --dist loadgroup -m "slow and not gpu" $(PYTEST_ARGS)

test-gpu: $(VENV)/.test $(VENV)/.torch  ## Tests that need a CUDA device
	$(PY) -m pytest -m gpu $(PYTEST_ARGS)

test-oldest:  ## Tests with the oldest supported versions
	$(MAKE) test VENV=.venv-oldest PINS=constraints/oldest.txt

lint: $(VENV)/.lint  ## ruff and mypy
	$(PY) -m ruff check .
	$(PY) -m ruff format --check .
	$(PY) -m mypy

format: $(VENV)/.lint  ## Let ruff repair what it can
	$(PY) -m ruff check --fix .
	$(PY) -m ruff format .

bench: bench-overhead bench-sampler-time bench-samplers bench-cmaes bench-units bench-budgets bench-checkpoints \
	bench-utilisation bench-dispatch bench-threads bench-scale bench-journal bench-iterator bench-nets-together  ## All benchmarks (hours)

# Peers that cannot share our environment: make .venv-peers .venv-hebo, and their interpreters are used.
.venv-peers .venv-hebo: .venv-%: benchmarks/samplers/requirements-%.txt
	$(PYTHON) -m venv $@
	$@/bin/python -m pip --disable-pip-version-check install --quiet --requirement $<
	$(if $(filter .venv-hebo,$@),$@/bin/python -m pip --disable-pip-version-check install --quiet --no-deps HEBO)
	@touch $@

PEERS := $(addprefix --python ,$(wildcard .venv-peers/bin/python .venv-hebo/bin/python))

bench-samplers: $(VENV)/.bench  ## Regret of samplers against all installed peers (hours; resumes)
	$(PY) -m benchmarks.samplers $(PEERS) $(ARGS)

bench-ablation: $(VENV)/.bench  ## What each part of the TPE, or with --of gp of the GP, is worth (hours; resumes)
	$(PY) -m benchmarks.samplers.ablation $(ARGS)

bench-tables: $(VENV)/.bench  ## Tables of the real tasks that are not there
	$(PY) -m benchmarks.samplers.make_tables $(ARGS)

bench-overhead: $(VENV)/.bench  ## Cost beside the fits, against RandomizedSearchCV
	$(PY) benchmarks/overhead.py $(ARGS)

bench-sampler-time: $(VENV)/.bench  ## Samplers' own time for each candidate
	$(PY) -m benchmarks.samplers.timing $(PEERS) $(ARGS)

bench-units: $(VENV)/.core  ## Trees that halving and Hyperband grow, counted
	$(PY) benchmarks/budget_units.py

bench-budgets: $(VENV)/.bench  ## Cost and quality of training on, against training in full (hours)
	$(PY) benchmarks/budgets.py $(ARGS)

bench-checkpoints: $(VENV)/.core  ## Memory and disk that checkpoints of forests take
	$(PY) benchmarks/checkpoints.py $(ARGS)

bench-utilisation: $(VENV)/.bench  ## How busy workers are kept, against other searches
	$(PY) benchmarks/utilisation.py $(ARGS)

bench-threads: $(VENV)/.core  ## Proposals of a Gaussian process with one thread and with many, beside busy workers
	$(PY) benchmarks/proposal_threads.py $(ARGS)

bench-dispatch: $(VENV)/.core  ## Cost of handing out a task with 64 MB of data
	$(PY) benchmarks/dispatch.py $(ARGS)

bench-scale: $(VENV)/.core  ## Ten thousand candidates
	$(PY) benchmarks/scale.py $(ARGS)

bench-journal: $(VENV)/.core  ## What a journal costs a search
	$(PY) benchmarks/journal_cost.py $(ARGS)

bench-iterator: $(VENV)/.torch  ## Epochs of a net on tensors, against torch's loader
	$(PY) benchmarks/tensor_iterator.py $(ARGS)

bench-racing: $(VENV)/.core  ## Fits that fold racing saves
	$(PY) benchmarks/fold_racing.py $(ARGS)

bench-gpu: $(VENV)/.torch  ## All that needs a GPU: slots, memory, batches, nets together
	$(PY) benchmarks/device_slots.py $(ARGS)
	$(PY) benchmarks/tensor_iterator.py --device cuda $(ARGS)
	$(PY) benchmarks/nets_together.py --device cuda $(ARGS)

bench-nets-together: $(VENV)/.torch  ## Small nets trained as one, against one after the other
	$(PY) benchmarks/nets_together.py $(ARGS)

bench-cmaes: $(VENV)/.bench  ## Evaluations to 1e-8 against the cma package
	$(PY) benchmarks/cmaes_evaluations.py $(ARGS)

clean:  ## Remove environments and caches
	rm -rf .venv .venv-oldest .venv-peers .venv-hebo build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
