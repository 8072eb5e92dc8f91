# Everything runs inside .venv, from requirements pinned with hashes.

PORT ?= 3000
BIN := .venv/bin
STAMP := .venv/.in-sync
GRAPHS := models/default/onnx/manifest.json
UV := $(or $(shell command -v uv),build/uv/bin/uv)

export BENTOML_DO_NOT_TRACK := True
export BENTOML_HOME := $(CURDIR)/.bentoml

.PHONY: setup serve demo test test-all check bento

setup: $(STAMP)

$(STAMP): requirements/dev.txt pyproject.toml | $(UV)
	test -x $(BIN)/python || $(UV) venv --python '>=3.11,<3.14' .venv
	VIRTUAL_ENV=.venv $(UV) pip sync requirements/dev.txt
	VIRTUAL_ENV=.venv $(UV) pip install --no-deps -e .
	touch $@

build/uv/bin/uv: # only where the machine has no uv
	python3 -m venv build/uv
	build/uv/bin/pip install --quiet uv

$(GRAPHS): models/default/bundle.json | $(STAMP)
	$(BIN)/cxr export
	touch $@

serve: $(GRAPHS)
	$(BIN)/bentoml serve service.app:Api --host 127.0.0.1 --port $(PORT) --timeout-graceful-shutdown 30

demo: $(GRAPHS)
	$(BIN)/python -m scripts.demo

test: $(STAMP)
	$(BIN)/python -m pytest -m "not slow and not gpu"

test-all: $(STAMP)
	$(BIN)/python -m pytest -m "not gpu"

check: $(STAMP)
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy

bento: $(GRAPHS)
	PATH="$(abspath $(dir $(UV))):$$PATH" $(BIN)/bentoml build # which wants uv
