# `make demo` and `make test` set up all that they use; they need only Python 3.11 and make.

# A file stays on one worker, as its tests share what is dear to set up; in the order of
# tests/conftest.py, the longest first.
PYTEST_FLAGS ?= -n 3 --dist loadfile --no-loadscope-reorder
# Python 3.11, which requirements.lock was resolved for.
PYTHON ?= $(call first-python,3.11,python3.11 python3 python)
# The Python of `make test-newest`: 3.11 to 3.13.
PYTHON_NEWEST ?= $(or $(call first-python,3.13,python3.13 python3),$(call first-python,3.12,python3.12 python3),$(call first-python,3.11,python3.11 python3))

# first-python(version, commands): the first command that runs and is that version. A command that
# exists need not run: pyenv leaves one for every version that it has, active or not.
first-python = $(shell for python in $(2); do \
  version=$$($$python -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null); \
  if [ "$$version" = "$(1)" ]; then echo $$python; break; fi; done)

# new-venv(directory, python, variable that names the python): an empty virtual environment.
define new-venv
@test -n "$(2)" || { echo "No suitable Python found: install Python 3.11, or run make with $(3)=/path/to/python." >&2; exit 1; }
@$(2) -c 'import ensurepip' 2>/dev/null || { echo "$(2) lacks ensurepip: on Debian and Ubuntu, apt install the package of its venv module, such as python3.11-venv." >&2; exit 1; }
@echo "Setting up $(1), once; this takes some minutes."
$(2) -m venv --clear $(1)
endef

.PHONY: demo docs docs-check check test test-newest gpu gpu-dry gpu-wheels format clean

demo: .venv/installed
	.venv/bin/rarebird train --recipe zipf_2 --steps 3000000 --out runs/demo

# The documentation as a site, build/site/index.html: a page for each method, searched offline.
docs: .venv/docs
	JAX_PLATFORMS=cpu .venv/bin/python -m docs.site.build build/site

# Its links and commands, and all pages in Chromium; takes minutes.
docs-check: docs
	JAX_PLATFORMS=cpu .venv/bin/python -m docs.site.check build/site

# While one works: without the tests of tests/slow.txt, in a few minutes.
check: .venv/installed
	.venv/bin/python -m ruff format --check
	.venv/bin/python -m ruff check
	.venv/bin/python -m mypy
	.venv/bin/python -m pytest $(PYTEST_FLAGS) -m "not slow"

test: .venv/installed
	.venv/bin/python -m ruff format --check
	.venv/bin/python -m ruff check
	.venv/bin/python -m mypy
	.venv/bin/python -m pytest $(PYTEST_FLAGS)

# The tests on the newest release of every dependency; those that need Reverb skip themselves.
test-newest: .venv-newest/installed
	.venv-newest/bin/python -m pytest $(PYTEST_FLAGS)

# What one accelerator makes of it, about 11 minutes; the data is left in runs/gpu. On a machine
# without a network: `make gpu-wheels` elsewhere, carry .whl over, install it there, and name that
# Python: make gpu GPU_PYTHON=python3
GPU_PYTHON ?= python3
gpu:
	PYTHON=$(GPU_PYTHON) bash experiments/results/gpu/run.sh runs/gpu

gpu-dry: .venv/installed
	JAX_PLATFORMS=cpu PYTHON=.venv/bin/python bash experiments/results/gpu/run.sh runs/gpu-dry .3 16

# All that a machine with jax, flax, optax, orbax and a plain Python 3.12 for x86-64 Linux lacks.
gpu-wheels:
	$(PYTHON) -m pip download --quiet --no-deps --pre --only-binary=:all: --python-version 3.12 \
	  --implementation cp $(foreach n,2_28 2_27 2_24 2_17,--platform manylinux_$(n)_x86_64) \
	  --dest .whl tfp-nightly
	$(PYTHON) -m pip download --quiet --no-deps --only-binary=:all: --python-version 3.12 \
	  --implementation cp $(foreach n,2_28 2_27 2_24 2_17,--platform manylinux_$(n)_x86_64) \
	  --dest .whl dm-haiku rlax distrax dm-env dm-tree jmp \
	  tensorboardX gymnasium farama-notifications decorator gast xminigrid craftax flashbax ale-py

format: .venv/installed
	.venv/bin/python -m ruff check --fix
	.venv/bin/python -m ruff format

clean:
	rm -rf .venv .venv-newest build *.egg-info .mypy_cache .pytest_cache .ruff_cache .hypothesis

# The files that mark an environment as complete are written last, so that a set-up that was
# interrupted starts again.
.venv/locked: requirements.lock
	$(call new-venv,.venv,$(PYTHON),PYTHON)
	.venv/bin/python -m pip install --quiet --no-deps -r requirements.lock
	@touch $@

.venv/installed: .venv/locked pyproject.toml
	.venv/bin/python -m pip install --quiet --no-deps --no-build-isolation -e .
	@touch $@

# The same with JAX on NVIDIA's GPUs, whose libraries come as wheels; the driver is the machine's.
.venv/cuda: .venv/installed
	.venv/bin/python -m pip install --quiet "$$(sed -n 's/^jax==/jax[cuda12]==/p' requirements.lock)"
	@touch $@

.venv/docs: .venv/installed docs/site/requirements.lock
	.venv/bin/python -m pip install --quiet --no-deps -r docs/site/requirements.lock
	@touch $@

.venv-newest/installed: pyproject.toml
	$(call new-venv,.venv-newest,$(PYTHON_NEWEST),PYTHON_NEWEST)
	.venv-newest/bin/python -m pip install --quiet -e '.[test]'
	@touch $@
