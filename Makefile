# make help   says what there is
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
DATA ?= ../shared/data
CASES ?= ../shared/cases
SECONDS ?= 60
QUICK := not long and not faults and not fuzz and not pages

.PHONY: help setup demo test test-long test-faults test-pages test-clients fuzz test-wheel cases coverage check docs \
	bench lock lock-clients clean

help:
	@echo "make setup      a virtual environment in $(VENV), from the hashed lock file"
	@echo "make demo       the whole loop on a few pictures, offline; open demo-output/renders/report.html"
	@echo "make test       the tests (minutes); make test-long: those of other runners, and of the audit's statistics"
	@echo "make test-faults whole jobs that are killed, whose storage fails, whose inputs and outputs change (minutes)"
	@echo "make test-pages reports in Chromium: valid HTML, axe, keys, prints (a minute; fetches three npm packages)"
	@echo "make fuzz       broken files of every format, for SECONDS=60: is what they take bounded?"
	@echo "make test-wheel the wheel, installed by plain pip into an empty environment"
	@echo "make test-clients shards in Spark, Daft, Ray, Delta, ClickHouse, ... of their own (CLIENTS='Spark,Daft': these)"
	@echo "make cases      inputs that people have, a script each in CASES=$(CASES): is what becomes of them right?"
	@echo "make coverage   the tests, and which lines they ran: htmlcov/index.html"
	@echo "make check      ruff and mypy"
	@echo "make docs       the pages in docs/, and those made of the code; open site/index.html"
	@echo "make bench      speed against facenet-pytorch, on the photographs in DATA=$(DATA)"
	@echo "make lock       renew requirements.lock from pyproject.toml; make lock-clients: those of make test-clients"

setup: $(VENV)/.installed

# uv installs what plain 'pip install --no-deps --require-hashes' would, in a tenth of the time.
$(VENV)/.installed: requirements.lock pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed: make PYTHON=python3.11")'
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet uv==0.13.9
	$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --require-hashes -r requirements.lock
	$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation -e .
	touch $@

demo: setup
	$(BIN)/face0 demo --output demo-output

test: setup
	$(BIN)/python -m pytest -n auto --maxprocesses 4 -m "$(QUICK)"

test-long: setup
	$(BIN)/python -m pytest -n auto --maxprocesses 4 -m long

test-faults: setup
	$(BIN)/python -m pytest -n auto --maxprocesses 4 -m faults

test-pages: setup
	tests/pages.sh $(BIN)/python

fuzz: setup
	FACE0_FUZZ_SECONDS=$(SECONDS) OMP_NUM_THREADS=1 $(BIN)/python -m pytest -q -s -m fuzz tests/fuzz

test-wheel: setup
	tests/wheel.sh

test-clients: setup
	CLIENTS="$(CLIENTS)" tests/clients/run.sh

cases: setup
	tests/cases.sh $(abspath $(CASES)) $(abspath $(DATA))

coverage: setup
	$(BIN)/python -m pytest -n auto --maxprocesses 4 -m "$(QUICK)" --cov --cov-report term --cov-report html

check: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

docs: setup
	$(BIN)/mkdocs build --strict --site-dir site

bench: setup
	$(BIN)/python -m benchmarks.augment --data $(DATA)

lock: setup
	$(BIN)/uv pip compile pyproject.toml --extra dev --universal --python-version 3.11 \
		--override requirements-overrides.txt --generate-hashes --no-header --no-emit-index-url -o requirements.lock

# One environment for all, and one for the Spark that cannot be beside the other.
lock-clients: setup
	cd tests/clients && for name in requirements spark35; do \
		../../$(BIN)/uv pip compile $$name.in --universal --python-version 3.11 --generate-hashes \
			--no-header --no-emit-index-url --quiet -o $$name.txt; done
	cd tests/clients && npm install --package-lock-only --omit-lockfile-registry-resolved --silent

clean:
	rm -rf $(VENV) demo-output site build htmlcov .coverage* *.egg-info
