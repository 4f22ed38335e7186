# Two commands: `make demo` and `make test`. Both make .venv with the locked dependencies first.
PYTHON ?= python3
CORES ?= $(shell nproc)
# a test process per core and one for what waits (for a Slurm, for a start of Python); more threads in
# each would wait for one another
WORKERS ?= $(shell expr $(CORES) + 1)
PYTEST = OPENBLAS_NUM_THREADS=1 $(BIN)/python -m pytest -n $(WORKERS) --dist worksteal
BIN := .venv/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt

.PHONY: demo test test-fast coverage check docs bench slurm-profile clean

demo: .venv/ready ## run the embedded demo and print its result
	$(BIN)/snakemake --cores $(CORES)
	@echo "data and known truth: resources/demo/"

test: .venv/ready-dev check ## everything: style, types, and the whole test suite
	$(PYTEST) tests

test-fast: .venv/ready-dev ## what runs in under two minutes
	$(PYTEST) -m "not slow" tests

coverage: .venv/ready-dev ## lines of tpcav_core that the fast tests run: 95 % at the least
	$(PYTEST) -m "not slow" --cov=tpcav_core tests

check: .venv/ready-dev ## style, types, spelling, workflow lint
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/snakefmt --check Snakefile workflow
	$(BIN)/mypy
	$(BIN)/codespell
	$(BIN)/snakemake --lint

docs: .venv/ready-dev ## the documentation as a site: build/docs/index.html
	$(BIN)/python -m sphinx -q -W --keep-going -c docs -b html . build/docs

bench: .venv/ready-dev ## measured against the published package, see benchmarks/README.md
	$(BIN)/python -m benchmarks.run

# values travel as environment variables: nothing in them is read as shell
slurm-profile: export SLURM_PROFILE_PARTITION := $(value PARTITION)
slurm-profile: export SLURM_PROFILE_ACCOUNT := $(value ACCOUNT)
slurm-profile: export SLURM_PROFILE_GPU_PARTITION := $(value GPU_PARTITION)
slurm-profile: .venv/ready ## PARTITION=… ACCOUNT=… GPU_PARTITION=…: for `snakemake --profile slurm`
	$(PIP) --editable '.[slurm]'
	@$(BIN)/python -m tpcav_core profile --partition "$$SLURM_PROFILE_PARTITION" \
	  --account "$$SLURM_PROFILE_ACCOUNT" --gpu-partition "$$SLURM_PROFILE_GPU_PARTITION" \
	  $(if $(OVERWRITE),--overwrite)

# torch comes first and by itself: left to a range, pip may fetch a build of several GB
.venv/ready: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "error: $(PYTHON) is older than 3.11; run make PYTHON=python3.12 …" >&2; exit 1; }
	@$(PYTHON) -m venv .venv || { \
	  echo "error: no venv for $(PYTHON); on Debian: apt-get install python3-venv" >&2; exit 1; }
	$(PIP) torch
	$(PIP) --editable .
	@touch $@

.venv/ready-dev: .venv/ready
	$(PIP) --editable '.[dev]'
	@touch $@

clean: ## remove results and data of the demo, keep .venv
	rm -rf results resources .snakemake
