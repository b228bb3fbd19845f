# What a developer runs: `make help` lists it.

PYTHON ?= python3
PYTEST_ARGS ?=
BENCH_ARGS ?=
SECONDS ?= 60

# An environment for each interpreter: .venv for python3, .venv-3.13 for python3.13.
VENV := .venv$(addprefix -,$(patsubst python%,%,$(filter-out python python3,$(notdir $(PYTHON)))))
RUN := $(VENV)/bin/python

# A stamp names the interpreter and this folder, so that another python3 behind
# the same name, or a checkout that was moved, is set up again.
TAG := $(shell $(PYTHON) -c 'import hashlib, os, sys; print(hashlib.sha256(repr((sys.version, sys.base_prefix, os.getcwd())).encode()).hexdigest()[:12])' 2>/dev/null)
stamp = $(VENV)/.$(1)-$(TAG)
SOURCES := pyproject.toml .ci/setup $(wildcard transports/*.[ch] actors/*/*.[ch])

# What an environment for linting holds is enough for testing, and so on.
COVERED_BY_lint := lint test run
COVERED_BY_test := test run
COVERED_BY_run := run

# Tests wait for processes a fifth of their time.
TEST_PROCESSES := $(shell echo $$(($$(getconf _NPROCESSORS_ONLN) * 3 / 2)))

# The compiler that was checked is the one that builds.
export CC

# A root supervisor starts in 0.15 s of processor time with compiled modules, in 0.25 s without.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help demo test soak sanitize fuzz lint bench clean

help: ## list the targets
	@sed -n 's/^\([a-z]*\):.*## /make \1\t/p' Makefile | expand -t 16
	@echo 'PYTHON=python3.13 takes another interpreter, in an environment of its own.'

demo: $(call stamp,run) ## count words with actors while they are being killed
	$(RUN) examples/wordcount.py --kill 0.2 --repeat 5

test: $(call stamp,test) ## run the tests; PYTEST_ARGS="-k name" for some
	$(RUN) -m pytest --numprocesses $(TEST_PROCESSES) --dist worksteal $(PYTEST_ARGS)

soak: SECONDS := 600
soak: $(call stamp,test) ## run the long tests, thousands of kills, and kill at random in a tree under load, within an hour; SECONDS=600
	SOAK_SECONDS=$(SECONDS) $(RUN) -m pytest --run-slow -m slow --override-ini faulthandler_timeout=600 $(PYTEST_ARGS)

sanitize: ## run the C core under sanitizers, with kills; SECONDS=60
	@tests/native/check sanitize $(SECONDS)

fuzz: ## run the C core under a fuzzer that changes the ring while it is read; SECONDS=60
	@tests/native/check fuzz $(SECONDS)

lint: $(call stamp,lint) ## check style, types, and that C compiles without a warning
	$(RUN) -m ruff check
	$(RUN) -m ruff format --check
	$(RUN) -m mypy
	$(RUN) -m pyright --pythonpath $(RUN)
	CFLAGS="$$CFLAGS -Werror" $(RUN) -W ignore -c 'import setuptools; setuptools.setup()' \
	  --quiet build_ext --force --build-temp build/strict --build-lib build/strict

bench: $(call stamp,run) ## measure, beside multiprocessing; BENCH_ARGS="--json FILE"
	$(RUN) -m tests.bench $(BENCH_ARGS)

clean: ## remove what was made here, environments included
	rm -rf .venv .venv-* build dist *.egg-info transports/*.so actors/*/*.so .hypothesis .coverage .coverage.* .*_cache
	find actors transports examples tests -name __pycache__ -type d -prune -exec rm -rf {} +

$(call stamp,%): $(SOURCES)
	@.ci/setup '$(PYTHON)' $(VENV) $*
	@touch $(foreach extra,$(COVERED_BY_$*),$(call stamp,$(extra)))
