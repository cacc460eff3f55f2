# What can be done with this repository; `make` lists it.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
CODE := interactivenet benchmarks recipes tests entrypoints docker docs
BENCHMARKS := $(filter-out __init__ report encodings nnunet,$(basename $(notdir $(wildcard benchmarks/*.py))))

# the oracle of some tests, source only: needs a compiler and, with numpy 2, an older name
NUMPY_2 := -DNPY_IN_ARRAY=NPY_ARRAY_IN_ARRAY
GEODISTK := CFLAGS=$(NUMPY_2) CXXFLAGS=$(NUMPY_2) $(BIN)/python -m pip install --quiet \
  --no-build-isolation --no-deps -c constraints.txt GeodisTK

# the client of MONAI Label's protocol, for tests: its dependencies, a server of its own, are not used
MONAI_LABEL := $(BIN)/python -m pip install --quiet --no-deps -c constraints.txt monailabel

# the image; BUILD_ARGS for the builder (--build-arg BASE_IMAGE=...)
DOCKER ?= docker
APPTAINER ?= apptainer
IMAGE ?= interactivenet
BUILD_ARGS ?=
VERSION := $(shell sed -n 's/^__version__ = "\(.*\)"/\1/p' interactivenet/__init__.py)
ARCHIVE := dist/interactivenet-$(VERSION).tar.gz
SIF := dist/interactivenet-$(VERSION).sif

SHELL := /bin/bash

export PIP_DISABLE_PIP_VERSION_CHECK := 1

.DEFAULT_GOAL := help
.PHONY: help setup test lint format docs demo bench image image-test image-save sif clean

help: ## List these targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(STAMP) ## Make .venv with the pinned versions (PYTHON=python3.12 to choose another)

# a .venv without a working pip is what an interrupted setup leaves: it is made anew
$(STAMP): pyproject.toml constraints.txt
	@$(BIN)/python -m pip --version >/dev/null 2>&1 || $(PYTHON) -m venv --clear $(VENV)
	$(BIN)/python -m pip install --quiet -c constraints.txt -e '.[dev]'
	@$(GEODISTK) >/dev/null 2>&1 || echo "GeodisTK was not built: the tests against it are skipped"
	@$(MONAI_LABEL) >/dev/null 2>&1 || \
	  echo "MONAI Label's client was not installed: the tests with it are skipped"
	@touch $@

# those of containers, which wait for jobs more than they compute, run beside all others; with
# job control, since what a shell starts in the background otherwise ignores SIGINT
test: setup ## Run the tests (ARGS='-k nifti' to choose some)
ifdef ARGS
	$(BIN)/python -m pytest -n auto --dist worksteal -q --ignore tests/container $(ARGS)
else
	@mkdir -p build
	set -m; $(BIN)/python -m pytest -q --durations 12 tests/container >build/containers.log 2>&1 & \
	containers=$$!; trap 'kill -INT $$containers' INT TERM; \
	$(BIN)/python -m pytest -n auto --dist worksteal -q --durations 25 --ignore tests/container; \
	status=$$?; wait $$containers || status=$$?; cat build/containers.log; exit $$status
endif

lint: setup ## Check style, format, types, and which package imports which
	$(BIN)/ruff check $(CODE)
	$(BIN)/ruff format --check $(CODE)
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache --no-logo

format: setup ## Sort imports and format the code
	$(BIN)/ruff check --select I --fix $(CODE)
	$(BIN)/ruff format $(CODE)

docs: setup ## Build the documentation as a site, in build/site
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --quiet --strict

demo: setup ## Run every stage on a small task, in demo/ (DATA=FOLDER: on your own scans)
	$(BIN)/interactivenet demo $(if $(DATA),--data "$(DATA)") \
	  -o "demo/$(if $(DATA),$(notdir $(abspath $(DATA))),phantoms)" $(ARGS)

bench: setup ## Run every benchmark into benchmarks/results/ (some minutes)
	@set -e; for name in $(BENCHMARKS); do \
	  echo "$(BIN)/python -m benchmarks.$$name"; $(BIN)/python -m benchmarks.$$name; \
	done

image: ## Build the container image (TORCH_INDEX=ADDRESS for another build of torch)
	$(DOCKER) build -f docker/Dockerfile --tag $(IMAGE) --build-arg VERSION=$(VERSION) \
	  --build-arg REVISION="$$(git describe --always --dirty --abbrev=40 --exclude='*' 2>/dev/null)" \
	  $(if $(TORCH_INDEX),--build-arg TORCH_INDEX=$(TORCH_INDEX)) $(BUILD_ARGS) .

image-test: setup ## Build an image and a SIF, and run every stage in them (as root: may install an engine)
	CONTAINERS=1 $(BIN)/python -m pytest -v tests/container $(ARGS)

image-save: ## Write the image as one file, to be carried elsewhere
	@mkdir -p $(dir $(ARCHIVE))
	set -o pipefail; $(DOCKER) save $(IMAGE) | gzip -1 > $(ARCHIVE).part
	mv $(ARCHIVE).part $(ARCHIVE)

sif: ## Make an Apptainer image of what image-save wrote
	@test -f $(ARCHIVE) || { echo "$(ARCHIVE): does not exist: 'make image image-save' writes it" >&2; exit 2; }
	gunzip -c $(ARCHIVE) > $(SIF).tar
	$(APPTAINER) build --force $(SIF_ARGS) --build-arg ARCHIVE=$(SIF).tar $(SIF) apptainer/interactivenet.def
	rm $(SIF).tar

clean: ## Remove caches, build output and the demo; .venv stays
	rm -rf demo build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis *.egg-info
	find $(CODE) -name __pycache__ -type d -prune -exec rm -rf {} +
