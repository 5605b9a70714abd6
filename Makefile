# Coliseum's commands. `make` alone lists them; the first run of each installs what it needs into .venv.
SHELL       := /bin/sh
VENV        := .venv
PYTHON      := $(VENV)/bin/python
SAM_VENV    := .venv-sam
SAM         := $(SAM_VENV)/bin/sam
# One more than cores: about a third of the suite's time is waiting for servers.
WORKERS     ?= $(shell expr $$(getconf _NPROCESSORS_ONLN 2>/dev/null || echo 1) + 1)
export SAM_CLI_TELEMETRY := 0
export AWS_DEFAULT_REGION ?= us-east-1
# Where this is set, every process would compile its libraries again, and the tests start many.
unexport PYTHONDONTWRITEBYTECODE

# A Python that really runs: a pyenv shim of a version that is not installed does not.
try_pythons  = for candidate in $(1); do if "$$candidate" -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; then echo "$$candidate"; break; fi; done
PYTHONS_313  = python3.13 $$HOME/.pyenv/versions/3.13*/bin/python3.13 /opt/homebrew/bin/python3.13 /usr/local/bin/python3.13
find_python  = $(call try_pythons,$(PYTHONS_313) python3.12 python3.11 $$HOME/.pyenv/versions/3.12*/bin/python3.12 $$HOME/.pyenv/versions/3.11*/bin/python3.11 python3.14 python3)
find_313     = $(call try_pythons,$(PYTHONS_313))

.DEFAULT_GOAL := help
.PHONY: help run test check format schema openapi reporter engine bench package invoke lock soak simulate mutants cost clean

help: ## list these targets
	@sed -n 's/^\([a-z][a-z-]*\):.*## \(.*\)/\1|\2/p' $(MAKEFILE_LIST) | while IFS='|' read -r name text; do printf '  make %-9s %s\n' "$$name" "$$text"; done

run: $(VENV)/.local ## start the whole system on this machine; Ctrl-C stops it
	@exec $(PYTHON) -m coliseum_local

test: $(VENV)/.dev ## run every test
	$(PYTHON) -m pytest -n $(WORKERS) --dist loadfile $(ARGUMENTS)

# Every tool runs, also after one has failed: the summary at the end names all that failed.
check: $(VENV)/.dev $(SAM_VENV)/.ready ## lint, types, import rules, template: runs every tool, then names those that failed
	@failed=; run() { echo "==> $$*"; "$$@" || failed="$$failed\n  $$*"; }; \
	run $(VENV)/bin/ruff check .; \
	run $(VENV)/bin/ruff format --check .; \
	run $(VENV)/bin/mypy; \
	run $(VENV)/bin/lint-imports; \
	run $(SAM) validate --lint; \
	run $(SAM_VENV)/bin/cfn-lint template.yaml; \
	if [ -n "$$failed" ]; then printf "\nThese checks failed:$$failed\n"; exit 1; fi; \
	printf "\nAll checks passed.\n"

format: $(VENV)/.dev ## write the code in the project's format
	$(VENV)/bin/ruff check --fix .
	$(VENV)/bin/ruff format .

schema: $(VENV)/.local ## write supabase/schema.sql from the migrations
	$(PYTHON) -m coliseum_local.postgres.schema_file

openapi: $(VENV)/.dev ## write the published OpenAPI document after a route or an answer has changed
	$(PYTHON) tests/contract/test_rest_document.py

reporter: $(VENV)/.local ## write web/coliseum_reporter.py from coliseum.client.reporting
	$(PYTHON) -m coliseum_local.reporter_file

engine: $(VENV)/.local ## keep the engine of a commit for `coliseum verify`, before its version rises: make engine COMMIT=HEAD
	$(PYTHON) -m coliseum_local.verification.archive $$(git rev-parse --short $(or $(COMMIT),HEAD))

bench: $(VENV)/.dev ## measure beside others; ARGUMENTS="ledger imports" picks, ARGUMENTS=--quick only runs them
	$(PYTHON) -m bench $(ARGUMENTS)

package: $(VENV)/.local $(SAM_VENV)/.ready ## build what is deployed (needs Python 3.13) into .aws-sam/build
	$(call build,.aws-sam/build,aarch64-manylinux_2_28)
	@du -sh .aws-sam/build/*/ | sort -h

invoke: .aws-sam/host/.built ## run a built function: make invoke FUNCTION=Portfolio EVENT=events/portfolio.http-balance.json
	@$(PYTHON) -m coliseum_local invoke "$(FUNCTION)" "$(EVENT)"

lock: $(VENV)/.local ## resolve the dependency sets into requirements/, with hashes and without index addresses
	$(LOCK) --group dev -o requirements/dev.txt
	for group in api worker mcp alerts local; do $(LOCK) --group $$group -c requirements/dev.txt -o requirements/$$group.txt || exit 1; done
	$(LOCK) --group sam -o requirements/sam.txt
	sed -n 's/^\(uv==[^ ]*\).*/\1/p' requirements/dev.txt | $(UV) pip compile - $(LOCK_OPTIONS) -o requirements/bootstrap.txt

soak: $(VENV)/.dev ## look for new failures: RUNS=10000 random histories of faults, 100,000 ordinary answers, rounds of troubled models, 1,000 histories of alerts, random examples of every property
	COLISEUM_SOAK=$(or $(RUNS),10000) $(PYTHON) -m pytest tests/chaos/test_delivery.py tests/integration/test_exchange_changes.py -q -n 0 $(ARGUMENTS)
	COLISEUM_SOAK=20 $(PYTHON) -m pytest tests/functions/test_troubled_round.py -q -n 0 $(ARGUMENTS)
	COLISEUM_SOAK=1000 $(PYTHON) -m pytest tests/chaos/test_alerts.py -q -n $(WORKERS) --dist load $(ARGUMENTS)
	$(PYTHON) -m pytest tests/unit -q -m hypothesis --hypothesis-profile=explore -n $(WORKERS) --dist loadfile $(ARGUMENTS)

simulate: $(VENV)/.dev ## simulate the statistics of the board: ARGUMENTS=sequence picks one, without it the names are listed
	$(PYTHON) -m tests.simulation $(ARGUMENTS)

mutants: $(VENV)/.dev ## break the code on purpose; every break must fail a test
	$(PYTHON) -m tests.chaos.mutants $(ARGUMENTS)

cost: $(VENV)/.dev ## what a month costs: make cost CLIENTS=3 TRADES=100
	$(PYTHON) -m bench.cost $(if $(CLIENTS),--clients $(CLIENTS)) $(if $(TRADES),--trades $(TRADES)) $(ARGUMENTS)

clean: ## remove what was built; the state of the local system in .coliseum stays
	rm -rf .aws-sam build dist

# ---------------------------------------------------------------- environments
UV           := $(VENV)/bin/uv
LOCK_OPTIONS := --universal --generate-hashes --no-emit-index-url --no-config --python-version 3.11 --no-header --no-annotate --quiet
LOCK         := $(UV) pip compile pyproject.toml $(LOCK_OPTIONS)
install       = $(UV) pip install --quiet --python $(PYTHON) --require-hashes -r $(1) || $(PYTHON) -m pip install --quiet --require-hashes -r $(1)

$(VENV)/.uv: requirements/bootstrap.txt
	@if ! $(PYTHON) -c '' 2>/dev/null; then \
	  python="$$($(find_python))"; \
	  [ -n "$$python" ] || { echo "Coliseum needs Python 3.11 or later with its venv module; none was found."; exit 1; }; \
	  echo "Setting up $(VENV) with $$("$$python" --version) ..."; \
	  "$$python" -m venv --clear $(VENV); \
	fi
	@$(PYTHON) -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/bootstrap.txt
	@touch $@

$(VENV)/.local: $(VENV)/.uv requirements/local.txt pyproject.toml
	@echo "Installing what the local system needs ..."
	@$(call install,requirements/local.txt)
	@$(UV) pip install --quiet --python $(PYTHON) --no-deps --no-build-isolation -e .
	@touch $@

$(VENV)/.dev: $(VENV)/.local requirements/dev.txt
	@echo "Installing what tests and checks need ..."
	@$(call install,requirements/dev.txt)
	@touch $@

# AWS SAM pins widely used packages, so it lives in an environment of its own.
$(SAM_VENV)/.ready: $(VENV)/.uv requirements/sam.txt
	@echo "Installing AWS SAM into $(SAM_VENV) ..."
	@$(SAM_VENV)/bin/python -c '' 2>/dev/null || $(PYTHON) -m venv --clear --without-pip $(SAM_VENV)
	@$(UV) pip install --quiet --python $(SAM_VENV)/bin/python --require-hashes -r requirements/sam.txt
	@touch $@

# ---------------------------------------------------------------- the Lambda bundle
# $(call build,<folder>,<platform of the wheels>)
define build
	@python="$$($(find_313))"; \
	[ -n "$$python" ] || { echo "The bundle is built with Python 3.13, and none was found (PATH, ~/.pyenv/versions)."; exit 1; }; \
	export COLISEUM_PYTHON313="$$python" COLISEUM_UV="$(abspath $(UV))" COLISEUM_LAYER_PLATFORM=$(2); \
	mkdir -p .aws-sam; $(SAM) build --build-dir $(1) >.aws-sam/build.log 2>&1 || { cat .aws-sam/build.log; exit 1; }; \
	for folder in $(1)/*; do [ -d "$$folder" ] && case "$$folder" in \
	  *DependenciesLayer) continue ;; \
	  *Layer) root=/opt ;; \
	  *) root=/var/task ;; esac || continue; \
	  "$$python" -m compileall -q --invalidation-mode unchecked-hash -s "$$folder" -p "$$root" "$$folder" || exit 1; \
	done
endef

HOST_PLATFORM = $(shell uname -m)-manylinux_2_28
BUNDLE        = template.yaml requirements/api.txt requirements/worker.txt requirements/mcp.txt $(shell find functions layers -name '*.py' -o -name '*.lua' -o -name '*.json' -o -name Makefile -o -name exec-wrapper)

.aws-sam/host/.built: $(BUNDLE) | $(VENV)/.dev $(SAM_VENV)/.ready
	$(call build,.aws-sam/host,$(HOST_PLATFORM))
	@touch $@
