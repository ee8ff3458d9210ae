.PHONY: help run test coverage test-citus test-frameworks test-clients nightly check audit docs bench bench-live chaos sidebar lock migration
.DEFAULT_GOAL := help
bin := .venv/bin

help:  ## Say what there is to make
	@sed -n 's/^\([a-z-]*\):.*## /\1	/p' $(MAKEFILE_LIST) | expand -t 12

run: .venv/run.stamp  ## Start everything: PostgreSQL, migrations, server; Ctrl-C stops it
	@exec $(bin)/colloquy run

test: .venv/dev.stamp  ## Run the whole suite against real PostgreSQL
	$(bin)/python -m pytest -n 2 --dist loadgroup $(ARGS)

coverage: .venv/dev.stamp  ## Run the whole suite and list the lines that no test ran: three times as long
	$(bin)/python -m pytest -n 2 --dist loadgroup --cov --cov-report term-missing:skip-covered $(ARGS)

test-citus: .venv/dev.stamp  ## Run the suite on a cluster of Citus: make test-citus COLLOQUY_CITUS_URL=postgresql://...
	@[ -n "$${COLLOQUY_CITUS_URL:-}" ] || { echo "Citus is NOT tested: set COLLOQUY_CITUS_URL (docs/scale.md)"; exit 1; }
	$(bin)/python -m pytest tests clients/python/tests $(ARGS)

test-frameworks: .venv/dev.stamp  ## Run the long suites of agent frameworks against our stores
	$(bin)/python -m pytest -n 2 --dist loadgroup --durations=20 clients/python/tests/*/*_cases.py $(ARGS)

test-clients: .venv/dev.stamp  ## Check, build and test the TypeScript clients against a real server (needs Node 20)
	scripts/install_typescript
	cd clients/typescript && npm run --silent check && npm run --silent build && npm run --silent test -- $(ARGS)

nightly: .venv/dev.stamp  ## Compare compiled operations with graphql-core on 20,000 documents
	FUZZ_EXAMPLES=20000 $(bin)/python -m pytest engine/tests tests/properties/test_compiled_execution.py -s $(ARGS)

check: .venv/dev.stamp  ## Check style, types, imports, words, statements, migrations, generated files and manifests
	$(bin)/ruff format --check .
	$(bin)/ruff check .
	$(bin)/mypy
	$(bin)/lint-imports --no-logo
	$(bin)/python scripts/check_structure.py
	$(bin)/python scripts/vocabulary.py
	$(bin)/python scripts/routing.py
	$(bin)/python scripts/migrations.py check
	scripts/check_generated
	$(bin)/python scripts/manifests.py
	scripts/check_workflows

audit:  ## Look up published vulnerabilities of the locked packages (needs pipx, Node and the network)
	scripts/audit

docs: .venv/docs.stamp  ## Build the documentation site into site/html; a broken link fails
	rm -rf site
	$(bin)/python scripts/schema_reference.py site/source/schema
	$(bin)/python scripts/docs_site.py site
	cd site && ../$(bin)/zensical build --strict

bench: .venv/bench.stamp bench/peers/node/node_modules/.package-lock.json  ## Measure against other servers: make bench ARGS=--quick
	$(bin)/python -m bench $(ARGS)

bench-live: .venv/bench.stamp  ## Measure what live subscribers cost: make bench-live ARGS=--quick
	$(bin)/python -m bench.live $(ARGS)

bench-growth: .venv/bench.stamp  ## Measure how operations grow with the data: make bench-growth ARGS="--sizes small,mid,big"
	$(bin)/python -m bench.growth $(ARGS)

chaos: .venv/dev.stamp  ## Break things under load, count what is lost: make chaos ARGS=--quick
	$(bin)/python -m chaos $(ARGS)

sidebar: examples/sidebar/node_modules/.package-lock.json  ## Build the example sidebar into app/web (needs Node 20)
	npm run --silent --prefix examples/sidebar build

%/node_modules/.package-lock.json: %/package-lock.json
	npm ci --silent --prefix $*
	touch $@

lock: .venv/dev.stamp  ## Renew the lock files from pyproject.toml
	scripts/lock

migration: .venv/dev.stamp  ## Write a migration to what the tables say now: make migration NAME=...
	$(bin)/python scripts/migrations.py new "$(NAME)"

.venv/%.stamp: requirements/%.txt requirements/uv.txt pyproject.toml engine/pyproject.toml clients/python/pyproject.toml scripts/bootstrap
	scripts/bootstrap $*
