# Every target does its own set-up; see scripts/setup.sh.
.PHONY: help build demo test check bench clean setup setup-test

help:
	@echo "make demo    build berth and run a Bazel build whose actions run in a real image"
	@echo "make test    everything that CI runs"
	@echo "make check   the fast gate: format, lint, types, unit tests"
	@echo "make bench   measure against bwrap, runc, umoci, podman and Bazel's sandbox"
	@echo "make build   compile services and helper"
	@echo "make clean   remove what was built"

setup:
	@scripts/setup.sh build

setup-test:
	@scripts/setup.sh test

build: setup
	@scripts/build.sh
	@cd services/chroot-helper && cargo build --quiet --release --target x86_64-unknown-linux-musl

demo: setup-test build
	@scripts/demo.sh

test: setup-test build
	@scripts/test.sh

check: setup build
	@npm run --silent lint
	@npm run --silent unit
	@cd services/chroot-helper && cargo fmt --check && cargo clippy --quiet --all-targets -- -D warnings

bench: setup-test build
	@node dist/bench/main.js

clean:
	rm -rf dist gen bench/out services/chroot-helper/target
