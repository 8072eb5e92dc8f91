# Everything runs inside .venv, from requirements pinned with hashes.

PORT ?= 3000
BIN := .venv/bin
STAMP := .venv/.in-sync
GRAPHS := models/default/onnx/manifest.json
UV := $(or $(shell command -v uv),build/uv/bin/uv)

export BENTOML_DO_NOT_TRACK := True
export BENTOML_HOME := $(CURDIR)/.bentoml

.PHONY: setup serve demo test test-all coverage mutation check browser screenshots bench docs bento bento-api bento-cpu \
	requirements/api.txt requirements/cpu.txt sbom licences audit

setup: $(STAMP)

$(STAMP): requirements/dev.txt pyproject.toml | $(UV)
	test -x $(BIN)/python || $(UV) venv --python '>=3.11,<3.14' .venv
	VIRTUAL_ENV=.venv $(UV) pip sync requirements/dev.txt
	VIRTUAL_ENV=.venv $(UV) pip install --no-deps -e .
	touch $@

build/uv/bin/uv: # only if the machine has no uv
	python3 -m venv build/uv
	build/uv/bin/pip install --quiet uv

$(GRAPHS): models/default/bundle.json | $(STAMP)
	$(BIN)/cxr export
	touch $@

serve: $(GRAPHS)
	$(BIN)/bentoml serve service.bento.api:Api --host 127.0.0.1 --port $(PORT) --timeout-graceful-shutdown 30

demo: $(GRAPHS)
	$(BIN)/python -m scripts.demo

# Two processes with one thread each: on two cores PyTorch's own threads would slow each other down.
test: $(STAMP)
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 --dist loadfile -m "not slow and not gpu"

test-all: $(STAMP)
	$(BIN)/python -m pytest -m "not gpu"

# Branch coverage of the default tests, and of the servers and commands that they start; fails below pyproject's limit.
coverage: export COVERAGE_FILE = build/coverage/data
coverage: $(STAMP)
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 --dist loadfile -p tests.in_process -m "not slow and not gpu" --cov --cov-report= \
		--cov-fail-under=0
	for package in archive attribution cli cxr evaluation export hospital networks reporting service study training; do \
		echo "$$package $$($(BIN)/coverage report --include="$$package/*" --format=total --precision=1 --fail-under=0) %"; done
	$(BIN)/coverage report --sort=cover --skip-covered

# Two processes for up to 45 minutes, after five for the tests of each line; docs/decisions/029-tests-that-bite.md.
mutation: $(STAMP)
	mkdir -p build/mutation
	OMP_NUM_THREADS=1 COVERAGE_FILE=build/mutation/contexts $(BIN)/python -m pytest tests/attribution tests/cxr -n 2 --dist loadfile \
		-p tests.in_process -m "not slow and not gpu" -vv --durations=0 --cov=cxr --cov=attribution --cov-context=test \
		--cov-report= --cov-fail-under=0 > build/mutation/durations.txt
	OMP_NUM_THREADS=1 $(BIN)/python -m scripts.mutation

# Debian's Chromium, for the tests of the page; as root. Playwright's own download is not used.
browser:
	apt-get update
	apt-get install --yes --no-install-recommends chromium fonts-dejavu-core

screenshots: $(GRAPHS)
	$(BIN)/python -m scripts.page.screenshots

check: $(STAMP)
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy

docs: $(STAMP) # as a site, in build/site; codespell's words are in pyproject.toml, proselint's checks in .proselintrc.json
	$(BIN)/codespell README.md CONTRIBUTING.md CHANGELOG.md SECURITY.md docs
	$(BIN)/python -m scripts.prose
	PYTHONPATH=. NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict

bench: $(GRAPHS)
	$(BIN)/python -m loadtests.compare --write
	$(BIN)/python -m loadtests.compare --media application/dicom --write
	$(BIN)/python -m loadtests.offline.precisions --write
	$(BIN)/python -m loadtests.offline.floors --write
	$(BIN)/python -m loadtests.offline.startup --write
	$(BIN)/python -m loadtests.offline.archives --write
	$(BIN)/python -m loadtests.bench --write

BENTOML := PATH="$(abspath $(dir $(UV))):$$PATH" $(BIN)/bentoml # which looks for uv

bento: $(GRAPHS)
	$(BENTOML) build

bento-api: $(GRAPHS)
	$(BENTOML) build --bentofile bentofile.api.yaml

bento-cpu: $(GRAPHS)
	$(BENTOML) build --bentofile bentofile.cpu.yaml

# The service's pins without torch and CUDA: a resolution that overrides them must not name them either.
API_WITHOUT := captum contourpy cycler filelock fonttools kiwisolver matplotlib mpmath networkx onnxruntime-gpu \
	safetensors setuptools sympy torch torchvision tqdm

requirements/api.txt: | $(UV)
	$(UV) pip compile pyproject.toml requirements/api.in --constraint requirements/service.txt \
		--override requirements/api.without $(API_WITHOUT:%=--no-emit-package %) --universal --python-version 3.11 \
		--generate-hashes --no-emit-index-url --custom-compile-command 'make requirements/api.txt' --output-file $@

# The service's pins with PyTorch and onnxruntime for CPUs. uv gets PyTorch from its own index, or from WHEELS.
requirements/cpu.txt: | $(UV)
	$(UV) pip compile pyproject.toml requirements/cpu.in --constraint requirements/api.txt \
		--override requirements/cpu.without --no-emit-package onnxruntime-gpu --python-version 3.11 \
		--python-platform x86_64-manylinux_2_28 --generate-hashes --no-emit-index-url --no-emit-find-links \
		$(if $(WHEELS),--find-links $(WHEELS),--torch-backend cpu) \
		--custom-compile-command 'make requirements/cpu.txt' --output-file $@

# The packages in the images of `make bento` and `make bento-api`: lists, licences, known vulnerabilities.
SHIPPED := api cpu service

sbom: $(SHIPPED:%=sbom-%)

sbom-%: | $(UV) # CycloneDX, of the pinned file as it is
	$(UV) venv --quiet --clear --python 3.11 build/sbom/$*
	VIRTUAL_ENV=build/sbom/$* $(UV) pip sync --quiet requirements/$*.txt
	$(UV) tool run --from 'cyclonedx-bom>=7,<8' cyclonedx-py environment --pyproject pyproject.toml --output-reproducible \
		--output-file build/sbom/$*.json build/sbom/$*
	rm -r build/sbom/$*

licences: $(SHIPPED:%=licences-%)

licences-%: $(STAMP)
	$(BIN)/python -m scripts.supply.licences requirements/$*.txt

audit: $(SHIPPED:%=audit-%)

audit-%: $(STAMP) | $(UV)
	$(BIN)/python -m scripts.supply.audit requirements/$*.txt $(UV) tool run 'pip-audit>=2.10,<3'
