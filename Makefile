SOURCE ?= simulated
DATA ?=
PYTHON ?= python3
export PATH := $(CURDIR)/.venv/bin:$(PATH)

.PHONY: run test check snippets browser spark audit bench quality scenarios reasons docs lock clean
.DELETE_ON_ERROR:

run: .venv/installed
	@holdfast run --source "$(SOURCE)" $(if $(DATA),--data "$(DATA)")

test: .venv/installed
	ruff check .
	ruff format --check .
	mypy
	OMP_NUM_THREADS=1 pytest --numprocesses auto --dist loadfile --no-loadscope-reorder -m "not browser and not slow and not spark and not snippets"

check: .venv/installed  ## what takes too long for `make test`, in one go: the small project is made once
	OMP_NUM_THREADS=1 pytest --numprocesses auto --dist loadscope -m "slow or snippets"

snippets: .venv/installed  ## what README, docs and notebooks show, typed
	OMP_NUM_THREADS=1 pytest --numprocesses auto -m snippets

browser: .venv/installed  ## needs Chromium
	OMP_NUM_THREADS=1 pytest --numprocesses auto --dist loadfile tests/browser

spark: .venv/installed .venv/spark  ## needs Java 17
	OMP_NUM_THREADS=1 pytest -m spark

.venv/spark: .venv/installed
	@echo "Installing PySpark into .venv (400 MB, once)"
	.venv/bin/pip install --quiet --no-build-isolation -e ".[spark]"
	@touch $@

audit: .venv-audit/installed  ## known vulnerabilities of the lock
	PATH="$(CURDIR)/.venv-audit/bin:$$PATH" .ci/audit

.venv-audit/installed:
	$(PYTHON) -m venv .venv-audit
	.venv-audit/bin/pip install --quiet pip-audit
	@touch $@

bench: .venv/installed
	python -m benchmarks.matrix
	python -m benchmarks.shap_speed

quality: .venv/installed .venv-quality/installed
	python -m benchmarks.quality --wall-time online_retail_ii

.venv-quality/installed: benchmarks/quality-requirements.txt
	@echo "Installing the rivals into .venv-quality (a few minutes, once)"
	$(PYTHON) -m venv .venv-quality
	.venv-quality/bin/pip install --quiet -r benchmarks/quality-requirements.txt
	@touch $@

.venv/installed: requirements.lock pyproject.toml
	@echo "Installing the locked dependencies into .venv (a few minutes, once)"
	$(PYTHON) -m venv .venv
	.venv/bin/pip install --quiet --require-hashes -r requirements.lock
	.venv/bin/pip install --quiet --no-deps --no-build-isolation -e .
	@touch $@

scenarios: .venv/installed
	python -m benchmarks.scenarios

reasons: .venv/installed
	holdfast reasons --benchmark

docs: .venv/installed
	python -m pipeline.reference

lock:  ## needs uv
	uv pip compile --universal --generate-hashes --extra dev --no-emit-index-url --no-emit-find-links -q pyproject.toml -o requirements.lock

clean:
	rm -rf data artifacts
	git checkout -- data
