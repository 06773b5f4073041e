# `make run` and `make test` are all a fresh machine needs; every target is safe to repeat.
PYTHON ?= python3.11
CONFIG ?= configs/digits.yaml
BIN := .venv/bin
export TF_USE_LEGACY_KERAS := 1

CONTAINER ?= $(shell command -v podman || echo docker)
IMAGE ?= localhost/slipway-pipeline:latest
SERVING_IMAGE ?= localhost/slipway-serving:latest
# Such as --build-arg BASE_IMAGE=…; see infra/docker/README.md.
IMAGE_FLAGS ?=
# An image has no .git to ask.
BUILD = $(CONTAINER) build --quiet --build-arg VERSION=$$(sed -n 's/^version = "\(.*\)"/\1/p' pyproject.toml) \
  --build-arg REVISION=$$(git describe --always --dirty --abbrev=40 --exclude='*')

.PHONY: run test test-fast test-tables test-fuzz coverage test-containers test-flink lint format lock image serving-image clean

run: .venv/.installed
	@$(BIN)/python run_local.py --config $(CONFIG)

PYTEST := $(BIN)/python -m pytest -n logical --maxprocesses 4 --no-loadscope-reorder

test: .venv/.installed
	@$(PYTEST) -m "not tables"

# All but whole runs: under three minutes.
test-fast: .venv/.installed
	@$(PYTEST) -m "not run and not tables and not cluster"

# Real data sets and the tables that people have, each through the whole pipeline: minutes more.
test-tables: .venv/.installed
	@$(PYTEST) -m tables

# The bodies and byte streams that the server is fuzzed with, more of them.
test-fuzz: .venv/.installed
	@SLIPWAY_FUZZ_CASES=2500 $(PYTEST) tests/serving -k fuzz

coverage: .venv/.installed
	@$(PYTEST) -m "not run and not tables and not cluster" --cov=pipeline --cov=components --cov=data --cov=serving --cov-report=term:skip-covered

# What needs the image: the whole graph in containers and, where KUBECONFIG names a cluster that has it, in a CronJob.
test-containers: .venv/.installed image
	@SLIPWAY_IMAGE=$(IMAGE) $(BIN)/python -m pytest tests/integration/test_kubeflow_containers.py tests/integration/test_kubernetes.py

# Flink as a cluster of two JVMs too, which takes minutes more than the embedded one of `make test`.
test-flink: .venv/.installed
	@SLIPWAY_FLINK=standalone $(BIN)/python -m pytest tests/integration/test_flink.py

lint: .venv/.installed
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy

format: .venv/.installed
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

lock: .venv/.installed
	@$(BIN)/uv pip compile requirements/requirements.in pyproject.toml --all-extras --override requirements/overrides.txt \
	  --python-version 3.11 --generate-hashes --no-emit-index-url --no-emit-find-links --no-annotate --no-header --quiet \
	  --custom-compile-command "make lock" --output-file requirements/lock.txt
	@grep '^uv==' -A 40 requirements/lock.txt | sed '/^[a-z]/{/^uv==/!q}' | sed '$$d' > requirements/bootstrap.txt

image:
	@$(BUILD) --file infra/docker/pipeline.Dockerfile --tag $(IMAGE) $(IMAGE_FLAGS) .

serving-image:
	@$(BUILD) --file infra/docker/serving.Dockerfile --tag $(SERVING_IMAGE) $(IMAGE_FLAGS) .

.venv/.installed: requirements/lock.txt requirements/bootstrap.txt pyproject.toml infra/setup.sh
	@PYTHON=$(PYTHON) bash infra/setup.sh

clean:
	rm -rf .venv artifacts runs bucket samples build slipway.egg-info
