# Everything runs in .venv, which each target creates and fills as far as it needs.
#   make demo        train the digits network (examples/digits.py); pictures go to out/
#   make test        the test suite
#   make test-slow   the full cross products and the long random runs
#   make lint        ruff and the type checker
#   make bench       all workloads of benchmarks/ beside the peers that install here; results go to benchmarks/results/

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMPS := $(VENV)/stamps

.PHONY: demo rosenbrock test test-slow lint bench clean distclean
.DELETE_ON_ERROR:

demo: $(STAMPS)/demo
	$(BIN)/python examples/digits.py

rosenbrock: $(STAMPS)/demo
	$(BIN)/python examples/rosenbrock.py

test: $(STAMPS)/test
	ARIGNOTE_VERIFY=1 $(BIN)/python -m pytest -q -n auto --dist worksteal tests

test-slow: $(STAMPS)/test
	ARIGNOTE_VERIFY=1 ARIGNOTE_TEST_PROFILE=slow $(BIN)/python -m pytest -q -n auto --dist worksteal -m "slow or not slow" tests

lint: $(STAMPS)/lint
	$(BIN)/ruff check .
	$(BIN)/mypy

bench: $(STAMPS)/bench
	$(BIN)/python -m benchmarks.run --output benchmarks/results/workloads-$(shell date +%F)

clean:
	rm -rf build dist out *.egg-info .pytest_cache .hypothesis .ruff_cache .mypy_cache
	find . -name __pycache__ -not -path './$(VENV)/*' -prune -exec rm -rf {} +

distclean: clean
	rm -rf $(VENV)

# A system without the ensurepip module can still make an environment with the pip it has.
$(BIN)/python:
	$(PYTHON) -m venv $(VENV) || { \
	  rm -rf $(VENV) && $(PYTHON) -m venv --without-pip $(VENV) && \
	  $(PYTHON) -m pip --quiet --python $(BIN)/python install pip; }

# One stamp for each extra: nothing is installed again until pyproject.toml changes.
$(STAMPS)/demo $(STAMPS)/test $(STAMPS)/lint: $(STAMPS)/%: pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[$*]'
	@mkdir -p $(STAMPS) && touch $@

# The peers are large and may not exist for this platform: each is tried alone, and left out where it does not install.
# A CPU build of PyTorch is enough: PIP_EXTRA_INDEX_URL may name PyTorch's index of those, and pip prefers them.
$(STAMPS)/bench: pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[demo]'
	for peer in jax numba torch pytensor; do \
	  $(BIN)/python -m pip install --quiet --disable-pip-version-check $$peer || echo "left out: $$peer"; done
	@mkdir -p $(STAMPS) && touch $@
