# Everyday commands. `make help` lists them.

.DEFAULT_GOAL := help
.PHONY: help tutorial test bench lint deps

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
	$(CARGO) run $(LOCKED) --release -- tutorial

test: deps lint ## Checks format, lints and documentation, and runs every test.
	$(RUN_TESTS)
	$(CARGO) test $(LOCKED) --doc
	RUSTDOCFLAGS="-D warnings" $(CARGO) doc $(LOCKED) --no-deps

bench: deps ## Measures against pg_recvlogical and PostgreSQL's own subscription.
	$(CARGO) bench $(LOCKED) --bench bench -- $(ARGS)

lint: ## Checks the format and every lint, with each set of features.
	$(CARGO) fmt --check
	$(CARGO) clippy $(LOCKED) --all-targets -- -D warnings
	$(CARGO) clippy $(LOCKED) --no-default-features -- -D warnings
	$(CARGO) clippy $(LOCKED) --all-targets --features failpoints -- -D warnings

deps: ## Installs what is missing: PostgreSQL, wal2json, a C compiler, rustfmt, clippy.
	@./assets/setup/deps.sh
