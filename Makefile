# A thin door to tools/dev.py, where everything is explained and which also works without make (Windows: py tools\dev.py test).
PYTHON ?= python3
BROKER ?=
SEEDS ?= 2
MINUTES ?= 30
ARGS ?=

.PHONY: help demo test lint crash crash-nodes crash-upgrade fuzz bench wheel install clean

help: ## this list
	@$(PYTHON) tools/dev.py help

demo: ## the product at work; BROKER=kafka for real Apache Kafka
	@$(PYTHON) tools/dev.py demo $(if $(BROKER),--broker $(BROKER)) $(ARGS)

test: ## style, types, prose and all tests
	@$(PYTHON) tools/dev.py test $(ARGS)

lint: ## style, types and prose
	@$(PYTHON) tools/dev.py lint

crash: ## torture on real Kafka; SEEDS=20
	@$(PYTHON) tools/dev.py crash --seeds $(SEEDS) $(ARGS)

fuzz: ## damaged input at every door; MINUTES=30
	@$(PYTHON) tools/dev.py fuzz --minutes $(MINUTES) $(ARGS)

crash-nodes: ## torture on three nodes of real Kafka; SEEDS=12
	@$(PYTHON) tools/dev.py crash --nodes 3 --seeds $(SEEDS) $(ARGS)

crash-upgrade: ## torture with an upgrade in the middle; SEEDS=5
	@$(PYTHON) tools/dev.py crash --upgrade --seeds $(SEEDS) $(ARGS)

bench: ## measure on real Kafka
	@$(PYTHON) tools/dev.py bench $(ARGS)

wheel: ## a wheel with the compiled engine, into dist/
	@$(PYTHON) tools/dev.py wheel

install: ## .venv with everything
	@$(PYTHON) tools/dev.py install

clean: ## remove .venv and caches
	@$(PYTHON) tools/dev.py clean
