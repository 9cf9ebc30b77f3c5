# Everyday commands. `make help` lists them.

.DEFAULT_GOAL := help
.PHONY: help tutorial test fuzz deny bench lint deps

# The lock file is part of the source: what was tested is what is built.
CARGO := cargo
LOCKED := --locked

# cargo-nextest where it is installed: each test in its own process, and slow ones named.
NEXTEST := $(shell command -v cargo-nextest 2>/dev/null)
ifdef NEXTEST
RUN_TESTS := $(CARGO) nextest run $(LOCKED) --features failpoints
else
RUN_TESTS := $(CARGO) test $(LOCKED) --features failpoints --lib --bins --test it
endif

help: ## Lists these commands.
	@awk -F ':.*## ' '/^[a-z]+:.*## /{printf "  make %-9s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

tutorial: deps ## Plays the whole tutorial on two throw-away PostgreSQL clusters.
	@echo "building pgstream; the first time this takes about three minutes on two cores"
	$(CARGO) run $(LOCKED) --profile quick -- tutorial

test: deps ## Runs every test, then checks format, lints and documentation.
	$(RUN_TESTS)
	$(CARGO) test $(LOCKED) --doc
	$(MAKE) lint
	RUSTDOCFLAGS="-D warnings" $(CARGO) doc $(LOCKED) --no-deps

fuzz: ## Feeds damaged input to everything that reads what others write, for a minute.
	FUZZ_SECS=$(or $(SECS),8) $(CARGO) test $(LOCKED) --features failpoints --lib fuzz -- --test-threads 1

deny: ## Holds the dependencies to deny.toml; needs cargo-deny and the network.
	$(CARGO) deny --all-features check

bench: deps ## Measures against pg_recvlogical and PostgreSQL's own subscription.
	$(CARGO) bench $(LOCKED) --bench bench -- $(ARGS)

lint: ## Checks the format and every lint, with each set of features.
	$(CARGO) fmt --check
	$(CARGO) clippy $(LOCKED) --all-targets -- -D warnings
	$(CARGO) clippy $(LOCKED) --no-default-features -- -D warnings
	$(CARGO) clippy $(LOCKED) --all-targets --features failpoints -- -D warnings

deps: ## Installs what is missing: PostgreSQL, wal2json, a C compiler, rustfmt, clippy.
	@./assets/setup/deps.sh
