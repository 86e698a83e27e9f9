# Everything a newcomer needs: Python 3.11 or newer and make. `make help` lists the targets.

VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
CODE := compiled schemas engine agents streams loyalty tests chaos supply

# Looked for only when an environment must be built. Choose another one with `make PYTHON=/path/to/python`.
PYTHON ?= $(shell for python in python3 python3.13 python3.12 python3.11 python3.14 python; do \
	"$$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1 \
	&& { echo "$$python"; break; }; done)

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help install compiled demo demo-telco test chaos simulate-faults work-baseline check audit fuzz format hooks bench bench-short clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-16s %s\n", $$1, $$2 }' Makefile

install: $(READY) ## build the environment in .venv (the others do it by themselves)
	@echo "$(VENV) is ready"

# Again whenever a requirement changes. Silent but for its first line, unless it fails.
$(READY): pyproject.toml constraints.txt
	@python="$(PYTHON)"; \
	if [ -z "$$python" ]; then \
		echo "make: Python 3.11 or newer is needed; install it, or name it: make PYTHON=/path/to/python3.11" >&2; \
		exit 2; \
	fi; \
	echo "Installing into $(VENV) (only when requirements change; a minute or so) ..."; \
	mkdir -p $(VENV); log=$(VENV)/install.log; \
	if ! "$$python" -m venv $(VENV) >"$$log" 2>&1; then \
		tail -n 5 "$$log" >&2; \
		echo "make: $$python cannot make a virtual environment; on Debian and Ubuntu install python3-venv" >&2; \
		exit 2; \
	fi; \
	if ! $(BIN)/python -m pip install --disable-pip-version-check --no-input -c constraints.txt -e '.[dev]' \
			>"$$log" 2>&1; then \
		tail -n 20 "$$log" >&2; \
		echo "make: the installation failed; all of it is in $$log" >&2; \
		exit 2; \
	fi
	@touch $@

compiled: $(READY) ## compile the hot modules: about twice as fast (needs a C compiler)
	@$(BIN)/python -m compiled.build

demo: $(READY) ## a sample month through a real Kafka on this machine, live
	@$(BIN)/loyalty demo

demo-telco: $(READY) ## 7,000 accounts and 230,000 payments through a real Kafka
	@$(BIN)/loyalty demo --telco

# What decides, once more as compiled: the same tests on both forms.
COMPILED_TESTS := tests/test_compiled.py tests/test_account_codec.py tests/test_cases.py tests/test_wire.py tests/test_contract_agreement.py \
	tests/test_readings.py tests/test_links.py tests/test_properties_fold.py tests/test_properties_levels.py \
	tests/test_properties_points.py tests/test_properties_promises.py tests/test_auditor.py tests/test_hostile_fold.py \
	tests/test_streams_record_batch.py tests/test_parity.py tests/test_work.py
COMPILED_KAFKA_TESTS := tests/test_cases_kafka.py tests/test_kill.py tests/test_parity.py

# Two lanes, because tests on brokers wait most of the time: most of those in one, and all else beside them, at a lower priority.
# The second lane has so many of those on brokers that both take about as long, then what is tested as compiled. Without a
# C compiler (status 3) there is no compiled form to test.
SECOND_KAFKA_TESTS := tests/test_forget.py
PYTEST := $(BIN)/python -m pytest
test: $(READY) ## all tests, on a real Kafka; those of the decisions once more on the compiled form
	@second=$$(mktemp); exec 3>&1; \
	( \
		LOYALTY_COMPILED=0 nice $(PYTEST) -p no:cacheprovider -m "not kafka" || exit 1; \
		LOYALTY_COMPILED=0 nice $(PYTEST) -p no:cacheprovider -m kafka $(SECOND_KAFKA_TESTS) || exit 1; \
		nice $(BIN)/python -m compiled.build >&3 || exit $$?; \
		LOYALTY_COMPILED=1 nice $(PYTEST) -p no:cacheprovider -m "not kafka" $(COMPILED_TESTS) || exit 1; \
		LOYALTY_COMPILED=1 nice $(PYTEST) -p no:cacheprovider -m kafka $(COMPILED_KAFKA_TESTS) || exit 1 \
	) >"$$second" 2>&1 & running=$$!; \
	LOYALTY_COMPILED=0 $(PYTEST) -m kafka $(addprefix --ignore=,$(SECOND_KAFKA_TESTS)); failed=$$?; \
	wait $$running; others=$$?; cat "$$second"; rm -f "$$second"; \
	[ $$failed -eq 0 ] && { [ $$others -eq 0 ] || [ $$others -eq 3 ]; }

chaos: $(READY) ## faults on real workers and a real broker for 5 minutes (SEED=7 MINUTES=20)
	@$(BIN)/python -m chaos $(if $(SEED),--seed $(SEED)) $(if $(MINUTES),--minutes $(MINUTES))

simulate-faults: $(READY) ## thousands of crashes a minute on a log in memory (SEED=7 tells one, MINUTES=10)
	@$(BIN)/python -m tests.simulate_faults $(if $(SEED),--seed $(SEED)) $(if $(MINUTES),--minutes $(MINUTES))

work-baseline: $(READY) ## take the work per event as it is now for the baseline of tests/test_work.py
	@PYTHONHASHSEED=0 $(BIN)/python -m tests.work --renew

check: $(READY) ## style, types, import contracts, and what it is built from
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m supply

audit: $(READY) ## pins, licences and known vulnerabilities of what it is built from (ONLINE=1: fail without advisories)
	@$(BIN)/python -m supply $(if $(ONLINE),--online)

fuzz: $(READY) ## fuzz the wire codec for a minute (needs atheris, which does not exist for every system)
	@$(BIN)/python -c 'import atheris' 2>/dev/null || \
		{ echo "make: fuzzing needs atheris: $(BIN)/python -m pip install -c constraints.txt -e '.[fuzz]'" >&2; exit 2; }
	@$(BIN)/python -m fuzz.wire -max_total_time=60 -print_final_stats=1

format: $(READY) ## put the code into the house style
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

# The peers have an environment of their own: they bring versions that the project does not want.
BENCH := .venv-bench
$(BENCH)/.ready: pyproject.toml constraints.txt benchmarks/requirements.txt $(READY)
	@echo "Installing the peers into $(BENCH) (only when requirements change; a minute or so) ..."; \
	log=$(VENV)/bench-install.log; \
	if ! { $(BIN)/python -m venv $(BENCH) && $(BENCH)/bin/python -m pip install --disable-pip-version-check \
			--no-input -e '.[dev]' -r benchmarks/requirements.txt; } >"$$log" 2>&1; then \
		tail -n 20 "$$log" >&2; \
		echo "make: the installation failed; all of it is in $$log" >&2; \
		exit 2; \
	fi
	@touch $@

bench: $(BENCH)/.ready ## this system and its peers side by side, an hour or so (benchmarks/README.md)
	@$(BIN)/python -m compiled.build || [ $$? -eq 3 ]
	@$(BENCH)/bin/python -m benchmarks.run $(BENCH_ARGS)

bench-short: $(BENCH)/.ready ## the same in small: shows that all decide the same, measures nothing
	@$(BENCH)/bin/python -m benchmarks.run --events 20000 --rounds 1 --rows 50000 --parts races,recovery \
		--out $(BENCH)/RESULTS-short.md $(BENCH_ARGS)

hooks: $(READY) ## check every commit before it is made
	$(BIN)/pre-commit install

clean: ## remove what these targets made
	rm -rf $(VENV) $(BENCH) .compiled benchmarks/kafka-streams/target .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis build dist
	find $(CODE) programmes -name __pycache__ -prune -exec rm -rf {} +
