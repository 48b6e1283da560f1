# Everything from a fresh clone: `make demo` and `make test`. `make help` lists the rest.

VENV  ?= .venv
PY    := $(VENV)/bin/python
TABLE ?= configs/synthmotion/dcf/table1_components/table.yaml
DATA  ?= data/synthmotion
# tables of `make demo`; those of `make tables` stay as they are
DEMO  := reports/demo
# what `make demo` trains: empty means all
ROWS  ?= baseline full
SEEDS ?= 0 1 2
JOBS  ?= $(shell nproc 2>/dev/null || echo 1)
DATA_ARGS ?=
# what `make reproduce` completes, and the documents whose numbers come from the tables
TABLES ?= configs/synthmotion configs/real
TEXTS := README.md reports/FINDINGS.md
# what configs/real needs that no command fetches, and what of it is not here
PEOPLE := data/weizmann data/ut_interaction data/weights
LACKING = $(if $(findstring configs/real,$(TABLES)),$(filter-out $(wildcard $(PEOPLE)),$(PEOPLE)))
CODE  := mmaction_ext tools tests configs
PYTEST_ARGS ?= -n $(JOBS) --dist worksteal

export OMP_NUM_THREADS ?= 1
export PYTHONUNBUFFERED = 1
# keep freed memory: on the CPU, page faults cost a fifth of a training step
export MALLOC_MMAP_MAX_ ?= 0
export MALLOC_TRIM_THRESHOLD_ ?= 100000000000

.PHONY: help env lint data stress-data people train reproduce tables report check demo test clean

help:
	@echo "make demo    install, make the data, train the SynthMotion rows, print their table"
	@echo "make test    install, then run the whole test suite"
	@echo "make lint    see whether the code is laid out, clean and typed (ruff, mypy)"
	@echo "make env     create $(VENV) and install the project into it"
	@echo "make data    make SynthMotion in $(DATA)"
	@echo "make stress-data  make the data sets of configs/synthmotion/stress and hard"
	@echo "make train   train what TABLE lacks   (ROWS=\"$(ROWS)\" SEEDS=\"$(SEEDS)\" JOBS=$(JOBS))"
	@echo "make reproduce  complete what is missing of TABLES: what neither the lock nor work_dirs has (days:"
	@echo "             hours with TABLES=configs/synthmotion/cross), then their tables and figures; no number"
	@echo "             that is there is made again. configs/real needs $(PEOPLE)"
	@echo "make tables  rebuild every table from the runs in work_dirs, the README's and the report too"
	@echo "make report  build reports/index.html and every format of every table, without any run"
	@echo "make check   see whether the tables as they lie here are those of their lock file"
	@echo "make clean   remove $(VENV) and caches (data, runs and reports stay)"

env:
	@bash tools/setup_env.sh $(VENV)

data: env
	@$(PY) tools/prepare_data.py synthmotion --root $(DATA) --workers $(JOBS) $(DATA_ARGS)

stress-data: env
	@$(PY) tools/prepare_data.py synthmotion-stress --workers $(JOBS)

train: data
	@$(PY) tools/launch.py $(TABLE) --seeds $(SEEDS) --max-parallel $(JOBS) \
	    $(if $(ROWS),--rows $(ROWS))

people:
	@$(if $(LACKING),$(error configs/real needs $(LACKING), see configs/real/README.md; without it: \
	    make reproduce TABLES=configs/synthmotion),true)

# Completes what is missing: a number that the lock has is not made again. A run that fails must not
# hide what the others gave.
reproduce: people data stress-data
	@$(PY) -m mmaction_ext launch $(TABLES) --locked --max-parallel $(JOBS); status=$$?; \
	$(PY) tools/make_tables.py --embed $(TEXTS) && $(PY) -m mmaction_ext figures && exit $$status

tables: env
	@$(PY) tools/get_complexity.py $(sort $(shell find configs -name table.yaml)) \
	    --csv reports/complexity.csv
	@$(PY) tools/make_tables.py --embed $(TEXTS)
	@$(PY) -m mmaction_ext report
	@$(PY) -m mmaction_ext figures

report: env
	@$(PY) tools/make_tables.py --locked --formats md tex html csv json
	@$(PY) -m mmaction_ext report --locked
	@$(PY) -m mmaction_ext figures

check: env
	@$(PY) tools/make_tables.py --locked --check --embed $(TEXTS)

# A failed run must not hide the numbers of the others: the table is made in any case. What takes
# minutes to train needs no look ahead.
demo: data
	@$(PY) tools/launch.py $(TABLE) --seeds $(SEEDS) --max-parallel $(JOBS) --no-preflight \
	    $(if $(ROWS),--rows $(ROWS)); status=$$?; \
	$(PY) tools/make_tables.py $(TABLE) --out $(DEMO) --forget --print \
	    --formats md tex html csv json || exit $$?; \
	echo; \
	echo "tables   $(CURDIR)/$(DEMO)"; \
	echo "runs     $(CURDIR)/work_dirs (checkpoints, logs, offline W&B runs)"; \
	echo "videos   $(CURDIR)/$(DATA)/videos"; \
	echo "browse   $(VENV)/bin/wandb leet, or open the .html in $(DEMO)"; \
	exit $$status

# as .pre-commit-config.yaml runs it, too
lint: env
	@$(PY) -m ruff format --check $(CODE)
	@$(PY) -m ruff check $(CODE)
	@$(PY) -m mypy

test: env
	@$(PY) -m pytest $(PYTEST_ARGS)

clean:
	test ! -f $(VENV)/pyvenv.cfg || rm -rf $(VENV)
	rm -rf build dist *.egg-info .pytest_cache .hypothesis .mypy_cache .ruff_cache
