# Onsale's commands; `make help` lists them. They need make and Python 3.11 or later with venv, but
# no root privileges.

PYTHON ?= python3
BIN := .venv/bin

.DEFAULT_GOAL := help
.PHONY: audit audit-packages sbom fuzz bench-auth bench-hostile bench-documents bench-orders bench-prices bench-queue bench-sockets bench-fanout bench-hold bench-layers bench-operations bench-memory bench-mixed bench-pages bench-peers bench-report help proof run test check format lint types unit sale simulate watch schema schema-changes frontend keycloak lock pages prove-room prove-plans prove-silence prove-stores test-keycloak test-pages test-programs screenshots page-types page-sizes prove-http test-switched-off prove-processes traces

help: ## list these commands
	@sed -n 's/^\([a-z-]*\):.*## /\1 /p' Makefile | while read -r name text; do printf '  make %-14s %s\n' "$$name" "$$text"; done

run: .venv/run.stamp pages ## install the dependencies, start everything and serve http://localhost:8000 (KEYCLOAK=yes)
	@exec $(if $(KEYCLOAK),$(BIN)/python -m deploy.keycloak -- )$(BIN)/python app.py

traces: .venv/traces.stamp ## install OpenTelemetry, which ONSALE_TRACES=yes needs

keycloak: .venv/run.stamp ## start Keycloak with the realm of deploy/keycloak (needs Java 17 and, once, Maven; KEYCLOAK_PORT=8180)
	@exec $(BIN)/python -m deploy.keycloak

test-keycloak: .venv/dev.stamp test-programs ## run the identity tests against Keycloak and the development issuer, with the long ones
	@$(BIN)/python -m pytest tests/identity --keycloak

test: .venv/dev.stamp test-programs lint types page-types pages ## run all checks and tests (SEED=1, SEED=random: the order of the tests)
	@$(BIN)/python -m pytest $(IN_PARALLEL) $(ORDER)

# With the same seed, a failing run can be repeated: the same order, the same generated examples.
ORDER = $(if $(filter random,$(SEED)),,--randomly-seed=$(or $(SEED),1) --hypothesis-seed=$(or $(SEED),1))

# Each of the two processes has its own stores. All tests of a file run in one process, because they
# share servers and a build of the pages.
IN_PARALLEL := --numprocesses 2 --dist loadfile --no-loadscope-reorder

test-pages: .venv/dev.stamp test-programs ## run all journeys of buyers in Chromium, also the long ones (13 minutes)
	@$(BIN)/python -m pytest tests/pages --pages

screenshots: .venv/dev.stamp test-programs ## take screenshots of all pages into build/screenshots, and those of the README
	@$(BIN)/python -m pytest tests/pages/test_screenshots.py tests/pages/test_readme_pictures.py --pages
	@mkdir -p docs/screenshots && cp build/screenshots/readme/*.png docs/screenshots/

audit: .venv/dev.stamp test-programs ## run the tests that attack a server, and those of the protocols and of real clients
	@$(BIN)/python -m pytest $(IN_PARALLEL) $(AUDITS)

AUDITS := $(addprefix tests/e2e/, test_graphql_audits.py test_graphql_cop_probes.py test_token_attacks.py \
  test_session_requests.py test_session_sockets.py test_other_origins.py test_no_stack_traces.py \
  test_fuzz_smoke.py test_socket_protocol.py test_real_clients.py test_real_clients_persisted.py \
  test_client_caches.py test_client_keeps_newest.py \
  test_trusted_documents.py 'test_frontend_graphiql.py::test_page_follows_the_story[visitingAnotherSite]') \
  $(addprefix tests/unit/, test_schema_hidden.py test_web_graphiql_off.py)

check: .venv/dev.stamp lint types page-sizes unit ## run the fast checks (format, lint, types, the SDL and its lint, the sizes of the pages) and the unit tests

format: .venv/dev.stamp ## format the code
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

lint: .venv/dev.stamp
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .

types: .venv/dev.stamp
	@$(BIN)/mypy

# A build does not check types, so this target does.
page-types:
	@if $(HAS_NODE); then $(MAKE) -s --no-print-directory frontend/node_modules/.package-lock.json && \
	  npm --prefix frontend run --silent types; fi

# Builds the pages, so that the unit tests compare their sizes with the limits.
page-sizes:
	@if $(HAS_NODE); then $(MAKE) -s --no-print-directory frontend; fi

unit: .venv/dev.stamp
	@$(BIN)/python -m pytest tests/unit

sale: .venv/run.stamp ## run a whole sale and check its records (BUYERS=2000 STOCK=800 KILL=yes URL=)
	@exec $(BIN)/python -m proofs.sale \
	  $(if $(BUYERS),--buyers $(BUYERS)) $(if $(STOCK),--stock $(STOCK)) $(if $(KILL),--kill $(KILL)) $(if $(URL),--url $(URL))

bench-queue: .venv/run.stamp ## measure a waiting room of up to 50,000 people: commands, bytes, joins, calls, pushes, prices (6 minutes; ENTRY=1: with the id of each entry in all parts; ONLY=pushes: one part)
	@exec $(BIN)/python -m bench.queueing $(if $(ENTRY),--entry) $(if $(ONLY),--only $(ONLY))

bench-sockets: .venv/run.stamp ## measure 2,000 sockets on one process while stock changes (SOCKETS=2000)
	@$(BIN)/python -m bench.sockets $(if $(SOCKETS),--sockets $(SOCKETS))

bench-prices: .venv/run.stamp ## measure how fast a new price reaches 2,000 sockets (SOCKETS=2000)
	@exec $(BIN)/python -m bench.prices $(if $(SOCKETS),--sockets $(SOCKETS))

bench-peers: .venv/run.stamp ## build the load generator and the servers of the comparison (needs Go; Rust and Node.js with npm for more servers)
	@exec $(BIN)/python -m bench.peers

bench-fanout: bench-peers ## compare how fast servers push changes to 1,000, 5,000 and 10,000 sockets (18 minutes; ROUNDS=3 SECONDS=3 SOCKETS= PEERS= SERVER_PYTHON=)
	@exec $(BIN)/python -m bench.fanout $(RUN_OPTIONS) $(if $(PEERS),--peers $(PEERS))

bench-hold: bench-peers ## compare how many tickets servers hold per second (20 minutes; ROUNDS=3 SECONDS=3 PEERS= LOADS= SERVER_PYTHON=)
	@exec $(BIN)/python -m bench.holds $(RUN_OPTIONS) $(if $(PEERS),--peers $(PEERS)) $(if $(LOADS),--loads $(LOADS))

bench-layers: .venv/run.stamp ## measure the CPU time of a hold, and how the layers share it (2 minutes; ROUNDS=5 HOLDS=4000)
	@exec $(BIN)/python -m bench.hold_layers $(if $(ROUNDS),--rounds $(ROUNDS)) $(if $(HOLDS),--holds $(HOLDS))

bench-operations: .venv/run.stamp ## measure the CPU time of a join, heartbeat, claim, hold, purchase and catalog page, without and with plans, batches and the fast path (2 minutes; ROUNDS=5 PEOPLE=500)
	@exec $(BIN)/python -m bench.operations $(if $(ROUNDS),--rounds $(ROUNDS)) $(if $(PEOPLE),--people $(PEOPLE))

bench-memory: .venv/run.stamp ## measure the memory of a subscribed socket, at 1,000, 5,000 and 10,000 sockets (8 minutes; ROUNDS=3 SECONDS=4 SOCKETS= SERVER_PYTHON=)
	@exec $(BIN)/python -m bench.memory $(RUN_OPTIONS)

bench-mixed: .venv/run.stamp ## measure holds while their changes are pushed to 5,000 sockets (8 minutes; ROUNDS=3 SECONDS=8 SOCKETS=5000 SERVER_PYTHON=)
	@exec $(BIN)/python -m bench.mixed $(RUN_OPTIONS)

bench-pages: .venv/run.stamp frontend ## audit the pages with Lighthouse, and measure how fast a push is painted (15 minutes; ROUNDS=5 SOCKETS=1000 CHANGES=300)
	@exec $(BIN)/python -m bench.pages $(if $(ROUNDS),--rounds $(ROUNDS)) $(if $(SOCKETS),--sockets $(SOCKETS)) $(if $(CHANGES),--changes $(CHANGES))

bench-report: .venv/run.stamp ## render the results of the benchmarks into docs/performance.md and docs/charts
	@$(BIN)/python -m bench.report

RUN_OPTIONS = $(if $(ROUNDS),--rounds $(ROUNDS)) $(if $(SECONDS),--seconds $(SECONDS)) \
  $(if $(SOCKETS),--sockets $(SOCKETS)) $(if $(SERVER_PYTHON),--python $(SERVER_PYTHON))

bench-hostile: .venv/run.stamp ## measure the costliest documents and inputs that the limits allow (SECONDS=5)
	@$(BIN)/python -m bench.hostile $(if $(SECONDS),--seconds $(SECONDS))

bench-auth: .venv/run.stamp ## measure what verifying a token costs, beside PyJWT alone (TOKENS=400)
	@$(BIN)/python -m bench.auth $(if $(TOKENS),--tokens $(TOKENS))

bench-orders: .venv/run.stamp ## measure paid orders through GraphQL, webhook and saga, and the limits of each part (SECONDS=10)
	@exec $(BIN)/python -m bench.orders $(if $(SECONDS),--seconds $(SECONDS))

bench-documents: .venv/run.stamp ## measure how fast ticket documents are rendered (COUNT=400)
	@exec $(BIN)/python -m bench.documents $(if $(COUNT),--count $(COUNT))

prove-room: .venv/run.stamp ## run four workers and random traffic against one waiting room and check every state (SECONDS=70 SEED=1)
	@$(BIN)/python -m proofs.waiting_room $(or $(SECONDS),70) $(or $(SEED),1)

prove-silence: .venv/run.stamp ## stop Redis for a while under a load of holds, and check how long people wait (SECONDS=20)
	@exec $(BIN)/python -m proofs.silence $(or $(SECONDS),20)

prove-stores: .venv/run.stamp ## break each store in the middle of a sale, in eight ways, and check that it is named, nothing is lost and sales go on (SECONDS=10)
	@exec $(BIN)/python -m proofs.store_faults $(or $(SECONDS),10)

prove-processes: .venv/run.stamp ## replace and kill four server processes behind nginx, with 2,000 sockets and a sale (PROCESSES=4 SOCKETS=2000; needs nginx)
	@exec $(BIN)/python -m proofs.processes $(if $(PROCESSES),--processes $(PROCESSES)) $(if $(SOCKETS),--sockets $(SOCKETS))

proof: .venv/run.stamp ## kill everything while thousands of people pay, and compare the bank with the orders (BUYERS=2000 SEEDS="1 2")
	@exec $(BIN)/python -m proofs.payments $(if $(BUYERS),--buyers $(BUYERS)) $(if $(SEEDS),--seeds $(SEEDS))

prove-plans: .venv/dev.stamp ## compare compiled plans with graphql-core on random operations, also on real stores (OPERATIONS=5000 SEED=)
	@$(BIN)/python -m proofs.plans $(if $(OPERATIONS),--operations $(OPERATIONS)) $(if $(SEED),--seed $(SEED))
	@$(BIN)/python -m pytest -q tests/e2e/test_plans_on_stores.py --plan-operations 500 $(if $(SEED),--plan-seed $(SEED))

prove-http: .venv/dev.stamp test-programs ## compare both paths of HTTP on random connections, byte for byte (CONNECTIONS=3000 SEED=)
	@$(BIN)/python -m pytest -q tests/e2e/test_http_paths.py --http-examples $(or $(CONNECTIONS),3000) $(if $(SEED),--hypothesis-seed=$(SEED))

test-switched-off: .venv/dev.stamp test-programs ## run the tests of HTTP and of the schema without plans, batches of holds and the fast path (OFF="--plans never": one of them; --holds single, --http ordinary)
	@$(BIN)/python -m pytest $(IN_PARALLEL) $(SWITCHED_OFF) $(or $(OFF),--plans never --holds single --http ordinary)

SWITCHED_OFF := $(wildcard $(addprefix tests/, e2e/test_graphql_*.py e2e/test_http_*.py e2e/test_token_attacks.py unit/test_schema_*.py))

fuzz: .venv/dev.stamp ## send generated documents, messages and frames to a server and check every answer (SECONDS=300)
	@exec $(BIN)/python -m proofs.fuzz $(if $(SECONDS),--seconds $(SECONDS))

simulate: .venv/run.stamp ## run simulated sales and score the estimates (SEEDS="101 102" CHART=yes)
	@exec $(BIN)/python -m proofs.simulation $(if $(SEEDS),--seeds $(SEEDS)) $(if $(CHART),--chart)

watch: .venv/run.stamp ## show a running sale in the terminal (CONCERT=slug, URL=http://localhost:8000)
	@$(BIN)/python -m bench.watch $(CONCERT) $(if $(URL),--url $(URL))

schema: .venv/run.stamp ## write the SDL to schema/schema.graphql
	@$(BIN)/python -m schema > .venv/schema.graphql
	@mv .venv/schema.graphql schema/schema.graphql

schema-changes: .venv/run.stamp ## print the changes of the SDL since the last release that break clients, or may break them
	@$(BIN)/python -m schema.released

frontend: frontend/dist/index.html ## build the pages: the shop, and GraphiQL (needs Node.js 20.19 or later with npm)

sbom: .venv/dev.stamp ## write the software bill of materials to build/sbom (CycloneDX JSON, for Python and the pages)
	@mkdir -p build/sbom
	@$(BIN)/uv tool run --quiet --from cyclonedx-bom==7.5.0 cyclonedx-py requirements requirements.lock --output-format JSON --output-file build/sbom/python.json
	@$(NEEDS_NODE); npm --prefix frontend sbom --sbom-format cyclonedx --omit dev --package-lock-only > build/sbom/pages.json
	@ls -l build/sbom

audit-packages: .venv/dev.stamp ## check everything that ships for known vulnerabilities (needs the internet)
	@$(BIN)/uv tool run --quiet pip-audit@2.10.1 --requirement requirements.lock --require-hashes --disable-pip --strict
	@$(NEEDS_NODE); npm --prefix frontend audit --omit=dev --package-lock-only

lock: .venv/dev.stamp ## pin the newest dependencies that pyproject.toml allows
	@$(LOCK) --output-file requirements.lock
	@$(LOCK) --group traces --output-file requirements-traces.lock
	@$(LOCK) --group dev --output-file requirements-dev.lock

LOCK := $(BIN)/uv pip compile pyproject.toml --upgrade --universal --python-version 3.11 \
  --generate-hashes --no-emit-index-url --no-header --quiet

# A stamp is newer than the lock file that was installed, so a second start installs nothing.
.venv/run.stamp: requirements.lock
	@$(MAKE_VENV)
	@$(call INSTALL,requirements.lock,about a minute and 250 MB)
	@touch $@

.venv/traces.stamp: requirements-traces.lock
	@$(MAKE_VENV)
	@$(call INSTALL,requirements-traces.lock,about a minute and 260 MB)
	@touch .venv/run.stamp $@

.venv/dev.stamp: requirements-dev.lock
	@$(MAKE_VENV)
	@$(call INSTALL,requirements-dev.lock,about a minute and 450 MB)
	@touch .venv/run.stamp .venv/traces.stamp $@

# Shows the progress of a step, its duration, and the size of its result.
STEP := $(PYTHON) deploy/make/step.py

# --no-compile, because Python compiles each module on its first import anyway.
INSTALL = count=$$(grep -c '^[a-z].*==' $(1)) && \
  $(STEP) "Installing $$count packages into .venv, once: $(2)" --count '^Collecting ' --of $$count --into .venv -- \
  $(BIN)/python -m pip install --disable-pip-version-check --no-input --no-compile --progress-bar off --require-hashes -r $(1)

define MAKE_VENV
if ! command -v $(PYTHON) > /dev/null; then \
  echo 'Python is missing. Debian, Ubuntu: apt-get install python3 python3-venv'; exit 1; fi; \
if ! $(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))'; then \
  echo "Onsale needs Python 3.11 or later, and $(PYTHON) is $$($(PYTHON) --version). Choose another one: make PYTHON=python3.12 …"; exit 1; fi; \
if ! $(BIN)/python -m pip --version > /dev/null 2>&1 && ! $(PYTHON) -m venv --clear .venv; then \
  rm -rf .venv; echo 'The venv module is missing. Debian, Ubuntu: apt-get install python3-venv'; exit 1; fi
endef

# The API works without its pages, so a failure here must not prevent it from starting.
pages:
	@if $(HAS_NODE); then \
	  $(MAKE) -s --no-print-directory frontend || \
	    echo 'The pages are not built, see above. The API starts without them; run make frontend later.'; \
	elif [ -f frontend/dist/index.html ]; then \
	  echo 'Without Node.js 20.19 or later, the pages stay as they were built in frontend/dist.'; \
	else \
	  echo 'The shop is not built: that needs Node.js 20.19 or later with npm. The API runs without it.'; \
	  echo 'Install them and repeat, or copy frontend/dist from a machine that has built it.'; fi

HAS_NODE := { command -v npm && node -e 'const [major, minor] = process.versions.node.split(".").map(Number); \
  process.exit(major * 100 + minor < 2019 ? 1 : 0)'; } > /dev/null 2>&1

NEEDS_NODE := $(HAS_NODE) || { echo 'The pages need Node.js 20.19 or later with npm.'; exit 1; }

frontend/dist/index.html: frontend/node_modules/.package-lock.json schema/schema.graphql $(shell find frontend/src frontend/vite frontend/*.* -type f -not -path '*/generated/*')
	@$(NEEDS_NODE)
	@$(STEP) 'Building the pages: about a minute, after each change to them' --into frontend/dist -- \
	  npm --prefix frontend run --silent build

frontend/node_modules/.package-lock.json: frontend/package-lock.json
	@$(NEEDS_NODE)
	@$(STEP) 'Installing the build tools for the pages, once: about half a minute and 300 MB' --into frontend/node_modules -- \
	  npm --prefix frontend ci --ignore-scripts --no-audit --no-fund --loglevel=error
	@touch $@

# Programs that the tests need but pip cannot install: Redis 7 as a second store, a library for
# mongod, a browser, a proxy, Prometheus, a checker of units, and fonts.
test-programs: .venv/dev.stamp
	@missing=$$($(MISSING)); if [ -z "$$missing" ]; then exit 0; fi; \
	if [ "$$(id -u)" = 0 ] && command -v apt-get > /dev/null; then \
	  echo "Installing$$missing for the tests …"; \
	  export DEBIAN_FRONTEND=noninteractive; \
	  apt-get update -qq && apt-get install -qq --no-install-recommends $$missing > /dev/null && exit 0; fi; \
	echo "Some tests cannot run; missing:$$missing. Debian, Ubuntu: apt-get install$$missing"

define MISSING
command -v redis-server > /dev/null || printf ' redis-server'; \
command -v chromium > /dev/null || printf ' chromium'; \
PATH=$$PATH:/usr/sbin command -v nginx > /dev/null || printf ' nginx-light'; \
command -v promtool > /dev/null || printf ' prometheus'; \
command -v systemd-analyze > /dev/null || printf ' systemd'; \
$(BIN)/python -c 'import ctypes; ctypes.CDLL("libcurl.so.4")' 2> /dev/null || printf ' libcurl4'; \
$(BIN)/python -m tickets.documents.fonts
endef
