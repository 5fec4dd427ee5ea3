# What a developer runs; `make help` lists it. CI (.ci/run) runs `check` and `test` and `build` of it, the last with
# the command that the image is built with.

CARGO ?= cargo

.DEFAULT_GOAL := help
.PHONY: help build check test test-deps demo bench deny image compose

help: ## show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "%-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

build: ## build the release binary, with the command the image uses
	cargo build --release --locked

check: ## formatting and lints; a warning fails
	$(CARGO) fmt --check
	$(CARGO) clippy --locked --all-targets --all-features -- -D warnings

test: test-deps ## all tests, with the servers and browsers they start
	@if $(CARGO) nextest --version >/dev/null 2>&1; then \
		$(CARGO) nextest run --locked; \
	else \
		$(CARGO) test --locked; \
	fi

test-deps: ## install what the tests start or drive (Debian), or say what is missing
	@scripts/install-test-deps.sh

demo: ## the whole flow in one process: a bank, a holder's devices, a console
	$(CARGO) run --locked -- demo

bench: ## throughput and latency of the release build
	$(CARGO) build --release --locked --features bench
	$${CARGO_TARGET_DIR:-target}/release/countersign-bench all

deny: ## licences, banned crates and sources (needs cargo-deny; CI doesn't run it)
	$(CARGO) deny --all-features check bans licenses sources

image: ## build the container image
	docker build --tag countersign .

compose: ## start the service with PostgreSQL, Redis and a mail catcher
	docker compose up --build --detach --wait
