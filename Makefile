# Every target does its own set-up; see scripts/setup.sh.
.PHONY: help build demo test check bench clean setup setup-test packages services addons helper

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

# Side by side, what takes longest first: compilers use one core each.
build: setup
	@$(MAKE) --no-print-directory --jobs=2 addons services helper

packages: export MAKEFLAGS =
packages:
	@scripts/install-packages.sh

addons: addon-better-sqlite3 addon-zstd-napi

addon-%: export MAKEFLAGS =
addon-%: packages
	@scripts/build-addon.sh $*

services: export MAKEFLAGS =
services: packages
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
