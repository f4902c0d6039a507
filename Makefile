# Every target does its own set-up; see scripts/setup.sh.
.PHONY: help build demo test check bench clean setup setup-test services helper

help:
	@echo "make demo    build berth and run a Bazel build whose actions run in a real image"
	@echo "make test    everything that CI runs"
	@echo "make check   the fast gate: format, lint, types, unit tests"
	@echo "make bench   measure against bwrap, runc, umoci, podman and Bazel's sandbox"
	@echo "make build   compile services and helper"
	@echo "make clean   remove what was built"

# What the goals need of the machine.
tools := $(if $(filter setup-test demo test bench,$(MAKECMDGOALS)),test,build)

setup setup-test:
	@scripts/setup.sh $(tools)

# Side by side: npm compiles on one core what it installs.
build: setup
	@$(MAKE) --no-print-directory --jobs=2 services helper

services: export MAKEFLAGS =
services:
	@scripts/install-packages.sh
	@scripts/build.sh

helper: export MAKEFLAGS =
helper:
	@cd services/chroot-helper && cargo build --quiet --release --target x86_64-unknown-linux-musl

demo: build
	@scripts/demo.sh

test: build
	@scripts/test.sh

check: build
	@npm run --silent lint
	@npm run --silent unit
	@cd services/chroot-helper && cargo fmt --check && cargo clippy --quiet --all-targets -- -D warnings

bench: build
	@node dist/bench/main.js

clean:
	rm -rf dist gen bench/out services/chroot-helper/target
