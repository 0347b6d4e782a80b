# `make` lists the targets. VENV, PYTHON and DMDOC_CACHE may be set from outside.
VENV ?= .venv
PYTHON ?= python3
BIN := $(VENV)/bin
DMDOC := $(BIN)/dmdoc
STAMP := $(VENV)/.installed
SAMPLES := dmdoc/samples
DEMO := DMDOC_HOME=$(CURDIR)/.demo $(DMDOC)

.DEFAULT_GOAL := help
# The tests start hundreds of processes: without bytecode on disk each would compile everything again.
unexport PYTHONDONTWRITEBYTECODE
WORKERS ?= 2
PYTEST := OMP_NUM_THREADS=1 $(BIN)/python -m pytest -q -n $(WORKERS) --dist loadgroup --durations=10 --durations-min=0
.PHONY: help venv model demo serve quick test campaigns crash fuzz coverage check docs bench everyday adapter adapter-check answers clean

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
	@echo "1 of 4: a note is read, and practises, so that its state answers alone. About 80 s in all on two quiet cores."
	$(DEMO) ingest --refine 12 $(SAMPLES)/sorrel-note.txt
	$(DEMO) ask --recall state "In what year was the barge Sorrel built?"
	$(DEMO) ask --recall state --verbose "What colour is the hull of the barge Sorrel?"
	@echo
	@echo "2 of 4: a report of four pages is read. About 60 s left."
	$(DEMO) ingest $(SAMPLES)/halvorsen-report.pdf
	@echo
	@echo "3 of 4: questions about one of the two, answered by phrases of its text; the last is not in there. About 50 s left."
	$(DEMO) ask "Who is the captain of the Margit Solem?"
	$(DEMO) ask "On what date did Hall C open?"
	$(DEMO) ask "How old is Maren Oxholt?"
	@echo
	@echo "4 of 4: ten questions about the report, and the control: the first phrase of the best sentence. About 25 s left."
	$(DEMO) compare --questions $(SAMPLES)/halvorsen-questions.jsonl --verbose --mode spans --mode first

serve: model  ## answer over HTTP from the demo's document, until Ctrl-C
	$(DEMO) ingest $(SAMPLES)/sorrel-note.txt
	$(DEMO) serve

check: $(STAMP)  ## lint, formatting and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

quick: $(STAMP)  ## the fast tests, on tiny models
	$(PYTEST) --dist worksteal --hypothesis-profile=quick -m "not slow and not campaign"

test:  ## check, then every test but the campaigns (minutes)
	$(MAKE) --no-print-directory --jobs=2 check model
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

bench: model  ## speed: ratios within one run, and seconds as a user waits (quiet machine; minutes)
	$(BIN)/python tests/bench.py

everyday: model  ## what is answered rightly about ten everyday files (a minute)
	OMP_NUM_THREADS=1 $(BIN)/python tests/everyday.py

adapter: model  ## train the shipped adapter again (hours; run it again to resume)
	$(DMDOC) train dmdoc/training/smollm2-135m.toml --output build/adapter \
	  $(if $(wildcard build/adapter/checkpoint.pt),--resume)

adapter-check: model  ## measure the shipped adapter on generated documents (minutes)
	$(DMDOC) compare --documents 15 --facts 8 --distractors 0.7

answers: model  ## fit the weights of phrases, and the verdicts, again to the training sets in data/ (hours)
	OMP_NUM_THREADS=1 $(BIN)/python tests/fit_answers.py ask
	OMP_NUM_THREADS=1 $(BIN)/python tests/fit_answers.py weights
	OMP_NUM_THREADS=1 $(BIN)/python tests/fit_answers.py verdicts
	OMP_NUM_THREADS=1 $(BIN)/python tests/fit_answers.py ask --mode evidence --documents 55 --kept build/evidence.pickle
	OMP_NUM_THREADS=1 $(BIN)/python tests/fit_answers.py verdicts --mode evidence --kept build/evidence.pickle

clean:  ## remove the environment, the demo and every build product
	rm -rf $(VENV) .demo build dist .pytest_cache .mypy_cache .ruff_cache .coverage*
