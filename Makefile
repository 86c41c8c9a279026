# Two commands do all set-up on a fresh machine: `make demo` and `make test`.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

.PHONY: install demo test test-pages test-faults lint types contracts bench sbom clean

install: $(STAMP)

# The stamp is newer than pyproject.toml once the environment matches it, so a second run reuses what is there.
$(STAMP): pyproject.toml
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --editable '.[dev]'
	touch $@

demo: install
	$(BIN)/stillwatch demo

# Most of the time goes into waiting for processes to start and stop, so more tests run at once than there are cores.
test: install
	$(BIN)/python -m pytest --numprocesses 4 --dist worksteal

# What people read: the console and reports in headless Chromium (Debian's package chromium), the commands of README and docs.
test-pages: install
	$(BIN)/python -m pip install --quiet --editable '.[browser]'
	STILLWATCH_TEST_PAGES=1 $(BIN)/python -m pytest --numprocesses 3 --dist worksteal -m "browser or documentation" tests

# The promises of docs/operations.md on Apache Kafka itself (Java 17 and Maven), with 50 kills instead of 3 and a store and a broker
# that are away for two minutes. They mostly wait, so more of them run at once than there are cores.
test-faults: install
	$(BIN)/python tests/apache_kafka/server.py $(BIN)/python -m pytest --numprocesses 4 --dist worksteal --kills 50 --outage 120 \
	  -m 'broker and not embedded_only' tests/faults

lint: install
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: install
	$(BIN)/mypy

contracts: install
	$(BIN)/lint-imports

bench: install
	$(BIN)/python -m pip install --quiet --editable '.[bench]'
	$(BIN)/python -m bench.speed
	$(BIN)/python -m bench.replay

# What a fresh installation of Stillwatch alone brings with it, as CycloneDX JSON: the tool itself and what tests need are not in it.
sbom: install
	$(BIN)/python -m pip install --quiet --editable '.[sbom]'
	$(PYTHON) -m venv --clear build/sbom
	build/sbom/bin/python -m pip install --quiet .
	$(BIN)/cyclonedx-py environment --pyproject pyproject.toml --output-reproducible --of JSON -o build/stillwatch.cdx.json build/sbom/bin/python
	rm -r build/sbom build/lib build/bdist.*
	@echo "wrote build/stillwatch.cdx.json"

clean:
	rm -rf $(VENV) .stillwatch build *.egg-info
