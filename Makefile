# `make` lists the targets. VENV, PYTHON and DMDOC_CACHE may be set from outside.
VENV ?= .venv
PYTHON ?= python3
BIN := $(VENV)/bin
DMDOC := $(BIN)/dmdoc
STAMP := $(VENV)/.installed
SAMPLES := dmdoc/samples
DEMO := DMDOC_HOME=$(CURDIR)/.demo $(DMDOC)

.DEFAULT_GOAL := help
WORKERS ?= 2
PYTEST := OMP_NUM_THREADS=1 $(BIN)/python -m pytest -q -n $(WORKERS) --dist loadgroup --durations=10 --durations-min=0
.PHONY: help venv model demo quick test campaigns crash fuzz coverage check docs bench adapter adapter-check clean

help:  ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

venv: $(STAMP)  ## install dmdoc and its tools into .venv

$(STAMP): pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet -c constraints.txt -e '.[dev]'
	touch $@

model: $(STAMP)  ## fetch and convert the embedded model, once
	$(DMDOC) models pull smollm2-135m

demo: model  ## read a note and a report once, then ask them, each question in a new process
	$(DEMO) ingest $(SAMPLES)/sorrel-note.txt
	$(DEMO) ask "In what year was the barge Sorrel built?"
	$(DEMO) ask "Who is the captain of the barge Sorrel?"
	$(DEMO) ask "How long is the barge Sorrel?"
	$(DEMO) ask --verbose "What colour is the hull of the barge Sorrel?"
	@echo
	@echo "A report full of names that the embedded adapter never saw: one question, then all ten of its questions."
	$(DEMO) ingest --refine 16 $(SAMPLES)/halvorsen-report.pdf
	$(DEMO) ask "Who was the largest customer?"
	$(DEMO) compare --questions $(SAMPLES)/halvorsen-questions.jsonl --verbose --mode spans --mode unread

check: $(STAMP)  ## lint, formatting and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

quick: $(STAMP)  ## the fast tests, on tiny models
	$(PYTEST) -m "not slow and not campaign"

test: check model  ## check, then every test but the campaigns (minutes)
	$(PYTEST) -m "not campaign"

crash: $(STAMP)  ## kill commands and damage files N times from SEED on; FROM goes on (long)
	OMP_NUM_THREADS=1 $(BIN)/python tests/crash.py --n $(or $(N),300) --seed $(or $(SEED),0) --first $(or $(FROM),0)

fuzz: $(STAMP)  ## feed N hostile files from SEED on to every reader; run again, it goes on (long)
	OMP_NUM_THREADS=1 $(BIN)/python tests/fuzz.py --count $(or $(N),1000) --seed $(or $(SEED),0)

campaigns: $(STAMP)  ## fuzzing and crash campaigns (long)
	$(PYTEST) -m campaign

coverage: model  ## the tests again, with the share of lines and branches they reach
	$(BIN)/python -m coverage erase
	OMP_NUM_THREADS=1 $(BIN)/python -m coverage run -m pytest -q -n $(WORKERS) --dist loadgroup -m "not campaign"
	$(BIN)/python -m coverage combine --quiet
	$(BIN)/python -m coverage report

docs: $(STAMP)  ## write docs/commands.md again, from the help texts
	$(BIN)/python docs/write_commands.py

bench: model  ## speed, as ratios within one run
	$(BIN)/python tests/bench.py

adapter: model  ## train the shipped adapter again (hours; run it again to resume)
	$(DMDOC) train dmdoc/training/smollm2-135m.toml --output build/adapter \
	  $(if $(wildcard build/adapter/checkpoint.pt),--resume)

adapter-check: model  ## measure the shipped adapter on generated documents (minutes)
	$(DMDOC) compare --documents 15 --facts 8 --distractors 0.7

clean:  ## remove the environment, the demo and every build product
	rm -rf $(VENV) .demo build dist .pytest_cache .mypy_cache .ruff_cache .coverage*
