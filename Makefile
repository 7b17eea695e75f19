# `make` lists the targets. A Python 3.10 to 3.12 is all they need: .venv is made from requirements.lock
# at the first call and again when that file changes. Another Python: make demo PYTHON=/path/to/python3.11

.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory
.NOTPARALLEL: # the targets share one environment and one pipeline: with -j they take turns
.PHONY: help demo test check lint bench reproduce clean lock env

# The environment comes first on PATH, for the commands in dvc.yaml begin with `python`.
RUN := PATH="$(CURDIR)/.venv/bin:$$PATH" .venv/bin/python -m

# Neither tool reports home from this project.
export DVC_NO_ANALYTICS := true
export MLFLOW_DISABLE_TELEMETRY := true

help: ## list the targets (this)
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-9s %s\n", $$1, $$2 }' Makefile

demo: env ## run the pipeline of params.yaml, from the data to the report
	@test -e .git || git rev-parse --git-dir >/dev/null 2>&1 || { \
	  echo "This copy has no git history: DVC is told so in .dvc/config.local."; \
	  $(RUN) dvc config --local core.no_scm true; }
	@$(RUN) dvc repro
	@echo
	@$(RUN) dvc metrics show
	@echo
	@echo "The report:  report/index.html"
	@echo "The runs:    .venv/bin/mlflow ui --workers 1   (from this folder; then http://127.0.0.1:5000)"

# A file stays with one process: its tests share what its fixtures trained.
test: env ## run the whole test suite, two files at a time
	@$(RUN) pytest --numprocesses 2 --dist loadfile --no-loadscope-reorder

check: lint test ## lint, then test: all that a change has to pass

lint: env ## check format, style, types and the direction of imports
	@$(RUN) ruff format --check .
	@$(RUN) ruff check .
	@$(RUN) mypy
	@.venv/bin/lint-imports --no-logo

bench: env ## run all benchmarks and put their tables into docs/performance.md: hours
	@$(RUN) benchmarks

reproduce: env ## make reproduce REV=v1: repeat a commit's run in a folder of its own, and compare
	@$(RUN) stages.reproduce "$(REV)"

clean: ## remove what the pipeline and the tools made; say what stays
	@rm -rf data/raw data/mindrecord model plots evaluation report export .ssd/train .ssd/logs .ssd/reproduced
	@rm -rf rank_* kernel_meta .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
	@find . -name .venv -prune -o -name .git -prune -o -name __pycache__ -type d -prune -exec rm -rf {} +
	@echo "Kept: metrics/ and dvc.lock (in git), .dvc/cache (\`dvc checkout\` restores the outs from it),"
	@echo "      mlflow.db and mlartifacts/ (your runs), .ssd/tracking (what MLflow has not got yet), .venv."
	@echo "      Remove those by hand, if at all."

# With dateutil 3 and up the resolver falls back to old releases of celery, graphene and pandas.
lock: ## compile requirements.lock from pyproject.toml (UPGRADE=1: with the newest versions)
	@PATH="$(CURDIR)/.venv/bin:$$PATH"; \
	command -v uv >/dev/null || { $(MAKE) env && .venv/bin/python -m pip install --quiet uv; } || exit; \
	echo 'python-dateutil<3' | uv pip compile pyproject.toml --group dev --constraint - \
	  --universal --python-version 3.10 --no-python-downloads --generate-hashes \
	  --no-emit-index-url --no-emit-find-links --custom-compile-command 'make lock' \
	  $(if $(UPGRADE),--upgrade) --quiet --output-file requirements.lock

# Any Python from 3.8 on can run the bootstrap, which then chooses the one to build with.
env: ## make .venv, which the others do by themselves
	@for python in .venv/bin/python "$(PYTHON)" python3.12 python3.11 python3.10 python3 python \
	    "$$(test -x .venv/bin/python || uv python find --system --no-python-downloads 2>/dev/null)"; do \
	  if "$$python" -E -s -c 'import sys; sys.exit(sys.version_info < (3, 8))' 2>/dev/null; then \
	    exec "$$python" -E -s -B -m tools.bootstrap "$(PYTHON)"; \
	  fi; \
	done; \
	echo "No Python found. Install Python 3.11, or name one: make demo PYTHON=/path/to/python3.11" >&2; \
	exit 2
