# `make` lists the targets. They only need Python 3.10 to 3.12: the first call makes .venv from
# requirements.lock, and so does the next call after that file changes. To choose the Python:
# make demo PYTHON=/path/to/python3.11

.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory
.NOTPARALLEL: # the targets share one environment and one pipeline, so -j has no effect
.PHONY: help demo test check lint docs bench reproduce new-project clean lock env

# The environment comes first on PATH because the commands in dvc.yaml begin with `python`.
RUN := PATH="$(CURDIR)/.venv/bin:$$PATH" .venv/bin/python -m

# Neither tool sends usage statistics from this project.
export DVC_NO_ANALYTICS := true
export MLFLOW_DISABLE_TELEMETRY := true

help: ## list the targets (the default)
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-11s %s\n", $$1, $$2 }' Makefile

demo: env ## run the pipeline of params.yaml, from the data to the report
	@test -e .git || git rev-parse --git-dir >/dev/null 2>&1 || { \
	  echo "This copy has no git history; DVC now runs without git (.dvc/config.local)."; \
	  $(RUN) dvc config --local core.no_scm true; }
	@began=$$(date +%s); $(RUN) dvc repro || exit; took=$$(($$(date +%s) - began)); \
	  echo; sed -n '/^How good/,/^$$/p' report/report.txt; \
	  echo "The pipeline took $$((took / 60)) min $$((took % 60)) s."
	@echo "The report:  report/index.html"
	@echo "The runs:    .venv/bin/mlflow ui --workers 1, then open"
	@echo "             http://127.0.0.1:5000/#/experiments/1/runs?workflowType=machine_learning&viewStateShareKey=training"
	@! git rev-parse --git-dir >/dev/null 2>&1 || \
	  git -c user.useConfigOnly=true var GIT_COMMITTER_IDENT >/dev/null 2>&1 || printf '%s\n' \
	  'Experiments are git commits. Before `dvc exp run`, tell git who you are:' \
	  '  git config user.name "Your Name"; git config user.email you@example.com'

# All tests of a file run in one process, so that they share the models that its fixtures train.
test: env ## run the whole test suite, two files at a time
	@$(RUN) pytest --numprocesses 2 --dist loadfile --no-loadscope-reorder

check: lint test ## lint, then test: what every change has to pass

lint: env ## check format, style, types and imports
	@$(RUN) ruff format --check .
	@$(RUN) ruff check .
	@$(RUN) mypy
	@.venv/bin/lint-imports --no-logo

docs: env ## write the documents and the library's pages as a site: site/index.html
	@NO_MKDOCS_2_WARNING=1 $(RUN) mkdocs build --strict --quiet
	@echo "The site, with its search: .venv/bin/python -m http.server --directory site 8000"
	@echo "Then open http://127.0.0.1:8000."

bench: env ## run the benchmarks that need no other software; their tables go into the documents: takes hours
	@$(RUN) benchmarks

reproduce: env ## make reproduce REV=v1: verify that a commit reproduces
	@$(RUN) stages.reproduce "$(REV)"

new-project: ## make new-project NAME=cats DATA=/path/to/photos: a project of your own beside this one
	@sh tools/new_project.sh "$(NAME)" $(if $(DATA),"$(DATA)")

clean: ## remove the files that the pipeline and the tools made, and list what is kept
	@rm -rf data/raw data/mindrecord data/test model plots evaluation report export .ssd/train .ssd/logs .ssd/reproduced
	@rm -rf rank_* kernel_meta site build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
	@find . -name .venv -prune -o -name .git -prune -o -name __pycache__ -type d -prune -exec rm -rf {} +
	@echo "Kept: metrics/ and dvc.lock (in git), .dvc/cache (\`dvc checkout\` restores the outs from it),"
	@echo "      mlflow.db and mlartifacts/ (your runs), .ssd/tracking (runs not sent to MLflow yet), .ssd/search (searches), .venv."
	@echo "      Remove them yourself if you do not need them."

# With dateutil 3 the resolver falls back to old releases of celery, graphene and pandas.
lock: ## compile requirements.lock from pyproject.toml (UPGRADE=1: to the newest versions)
	@PATH="$(CURDIR)/.venv/bin:$$PATH"; \
	command -v uv >/dev/null || { $(MAKE) env && .venv/bin/python -m pip install --quiet uv; } || exit; \
	echo 'python-dateutil<3' | uv pip compile pyproject.toml --extra train --group dev --constraint - \
	  --universal --python-version 3.10 --no-python-downloads --generate-hashes \
	  --no-emit-index-url --no-emit-find-links --custom-compile-command 'make lock' \
	  $(if $(UPGRADE),--upgrade) --quiet --output-file requirements.lock

env: ## make .venv; the other targets do this themselves
	@sh tools/make_env.sh "$(PYTHON)"
