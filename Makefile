# One line a target; what takes more is Python with a test.
STACK ?= dev
SERVICE ?= webapp
LOCKS := requirements requirements-bootstrap requirements-dev $(patsubst %/Dockerfile,%/requirements,$(wildcard app/*/Dockerfile))
PYTHON := .venv-dev/bin/python
INSTALL := .venv-dev/bin/uv pip install --quiet --native-tls --compile-bytecode --require-hashes
export UV_CACHE_DIR ?= $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/cloudnative/uv
MAKEFLAGS += --no-print-directory

.DEFAULT_GOAL := help
.PHONY: help up down preview refresh rollback render new-service map drill logs status env test test-unit lint format screenshot audit sbom bench lock docs clean

help: ## Show what can be made
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)/  make \1\t\2/' | expand -t 20

up: .venv ## Start the embedded platform where it is not up, and deploy the stack (STACK=dev)
	@$(PYTHON) -m local up && $(PYTHON) -m local.stack up $(STACK)

down: .venv ## Destroy the stack (STACK=dev) and stop the platform
	@$(PYTHON) -m local.stack destroy $(STACK) && $(PYTHON) -m local down

preview: .venv ## Show what `make up` would change in the stack (STACK=dev)
	@$(PYTHON) -m local up && $(PYTHON) -m local.stack preview $(STACK)

refresh: .venv ## Take into the state what was changed behind Pulumi's back (STACK=dev); `make up` puts it right
	@$(PYTHON) -m local up && $(PYTHON) -m local.stack refresh $(STACK)

rollback: .venv ## Pin a service to the image that it ran before, and deploy that (STACK=dev SERVICE=webapp)
	@$(PYTHON) -m local up && $(PYTHON) -m local.stack rollback $(STACK) $(SERVICE)

render: .venv ## Write what `make up` would apply as plain manifests to rendered/STACK, and check them
	@$(PYTHON) -m local up && $(PYTHON) -m local.stack render $(STACK)

new-service: .venv ## Make one service more of template/, which the gateway leads to (NAME=order-history)
	@$(PYTHON) -m tools.new_service '$(NAME)'

map: .venv ## Draw services.py as docs/map.svg: who calls whom, who owns a database, what the gateway leads to
	@$(PYTHON) -m docs.system_map docs/map.svg

drill: .venv ## Break the service of the stack (STACK=dev) on purpose, and time its alert to the webhook and back
	@$(PYTHON) -m local up && $(PYTHON) -m local.drill $(STACK)

logs: .venv ## Follow what all pods of a service write (STACK=dev SERVICE=webapp), the ones to come included
	@$(PYTHON) -m local.logs $(STACK) $(SERVICE)

status: .venv ## Show what runs and what it takes
	@$(PYTHON) -m local status

env: .venv ## Print the exports for a shell: eval "$(make -s env)"
	@$(PYTHON) -m local env

test: .venv ## Run all tests, on the platform (started where it is not up)
	@$(PYTHON) -m local up && $(MAKE) test-unit && $(PYTHON) -m pytest --quiet --numprocesses=auto -m slow --ignore=tests/e2e && $(PYTHON) -m pytest --quiet tests/e2e

test-unit: .venv ## Run the tests that need no platform, but for the slow ones
	@$(PYTHON) -m local.toolchain prometheus alertmanager kube-score cloudnative-pg-crds gateway-api-crds prometheus-operator-crds traefik-crds && $(PYTHON) -m local.debian && $(PYTHON) -m pytest --quiet --numprocesses=auto --dist=worksteal -m 'not slow' --ignore=tests/e2e

lint: .venv ## Check style, formatting and types
	@.venv-dev/bin/ruff check . && .venv-dev/bin/ruff format --check . && MYPYPATH=$$(echo app/*/ | tr " " :) .venv-dev/bin/mypy && $(PYTHON) -m docs.config_reference --check README.md && $(PYTHON) -m docs.system_map --check docs/map.svg && $(PYTHON) -m docs.app_metrics --check

format: .venv ## Format the code
	@.venv-dev/bin/ruff format . && .venv-dev/bin/ruff check --fix .

screenshot: .venv ## Take docs/dashboard.png and docs/shop.png anew, of the tests' stack
	@$(PYTHON) -m local up && SCREENSHOTS=docs $(PYTHON) -m pytest --quiet tests/e2e/test_console.py tests/e2e/test_shop.py

audit: .venv ## Look up what the locks pin among the known vulnerabilities
	@$(PYTHON) -m local.audit

sbom: .venv ## Print the SBOM of the image that a service runs (STACK=dev SERVICE=webapp)
	@$(PYTHON) -m local.sbom $(STACK) $(SERVICE)

bench: .venv ## Measure what the stack costs: an update, the app's metrics, Prometheus, and one service more
	@$(PYTHON) -m local up && $(PYTHON) -m bench

lock: .venv ## Pin what requirements.txt and its like ask for, with hashes
	@for file in $(LOCKS); do .venv-dev/bin/uv pip compile --native-tls --quiet --generate-hashes --python-version 3.11 --custom-compile-command 'make lock' $$file.txt -o $$file.lock || exit; done

docs: .venv ## Write the configuration's reference into README.md, and what metrics the apps export
	@$(PYTHON) -m docs.config_reference README.md && $(PYTHON) -m docs.app_metrics

clean: .venv ## Stop the platform and remove all it keeps on this machine, caches included
	@$(PYTHON) -m local clean

# Two environments: Pulumi looks through all of .venv at every run, so that has what the program imports and no more.
.venv: requirements.lock | .venv-dev
	@.venv-dev/bin/uv venv --quiet --clear .venv && $(INSTALL) --python .venv -r requirements.lock && touch .venv

.venv-dev: requirements-dev.lock requirements-bootstrap.lock
	@echo "Python packages, into .venv and .venv-dev" >&2
	@python3 -c 'import ensurepip' 2>/dev/null || apt-get install --yes --quiet python3-venv >&2
	@python3 -m venv --clear .venv-dev && .venv-dev/bin/pip install --quiet --disable-pip-version-check --require-hashes -r requirements-bootstrap.lock
	@$(INSTALL) --python .venv-dev -r requirements-dev.lock && touch .venv-dev
