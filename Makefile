# Everything is made outside the checkout on first use (tools/bootstrap.py): ${GPUOPS_CACHE_DIR:-~/.cache/gpuops}.
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.NOTPARALLEL:

PYTHON := $(shell tools/find_python 3.11 3.12 3.13)
RUN := $(PYTHON) tools/bootstrap.py run
TESTBED := $(RUN) python -m ansible_collections.gpuops.kubernetes.plugins.plugin_utils.testbed
SCENARIO ?=

.PHONY: help
help: ## This list
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / {printf "  make %-14s %s\n", $$1, $$2}' Makefile

.PHONY: python
python:
	@test -n "$(PYTHON)" || { echo "make: a Python 3.11, 3.12 or 3.13 with venv is needed (Debian, Ubuntu: apt install python3 python3-venv)" >&2; exit 1; }

.PHONY: demo
demo: binaries ## A fleet of simulated GPU nodes, shared, proved and reported
	$(RUN) ansible-playbook -i inventories/demo playbooks/rehearse.yml
	@$(TESTBED) up --name demo
	@echo "make demo-down ends it"

.PHONY: demo-down
demo-down: python ## End the demo's cluster
	$(TESTBED) down --name demo

.PHONY: binaries
binaries: python ## Fetch or build what the rehearsal cluster runs (minutes, once)
	$(TESTBED) binaries

.PHONY: test
test: python ## What CI runs: every layer, and the scenarios that the change calls for
	$(RUN) python tools/run_tests.py

.PHONY: test-heavy
test-heavy: python ## Every layer, every scenario, and the heavy suites
	GPUOPS_TEST_VM=1 $(RUN) python tools/run_tests.py --heavy

.PHONY: repository lint sanity unit contract integration k3s faults bench
repository lint sanity unit contract integration k3s faults bench: python
	$(RUN) python tools/run_tests.py --only $@
repository: ## Only the tests about the repository itself
lint: ## Only ansible-lint (profile production)
sanity: ## Only ansible-test sanity, on each ansible-core and Python that is there
unit: ## Only the unit tests
contract: ## Only the tests against a real control plane and upstream's data
integration: ## Only the integration tests
k3s: ## Only the tests that make hosts a k3s cluster, or are refused
faults: ## Only the tests that kill things
bench: ## Only the measurements

.PHONY: molecule
molecule: python ## The molecule scenarios, or one: make molecule SCENARIO=sharing
	$(RUN) python tools/run_tests.py --only molecule $(if $(SCENARIO),--scenario $(SCENARIO))

.PHONY: render
render: python ## Write everything that is rendered: defaults and README tables, lists in README.md, CHANGELOG.md
	$(RUN) python tools/render.py
	# Until 1.0.0 is out, its entry is written anew from its fragment and from what there is.
	rm -f changelogs/changelog.yaml
	$(RUN) antsibull-changelog release --reload-plugins

.PHONY: build
build: python ## The archive for Galaxy, in .build/dist
	$(RUN) python tools/build.py

.PHONY: clean
clean: ## Remove what make left in the checkout (the cache stays)
	rm -rf .build .ansible .pytest_cache
