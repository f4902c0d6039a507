#!/usr/bin/env bash
# Makes a fresh Debian machine ready: installs what is missing and says clearly
# what it cannot install. Quick when nothing is missing.
#
# usage: scripts/setup.sh build|test
set -euo pipefail
cd "$(dirname "$0")/.."

# Command → Debian package, for all that tests, demo and benchmarks run.
build_tools=(gcc:gcc g++:g++ git:git make:make python3:python3)
test_tools=(
  bazel:bazel-bootstrap
  /usr/share/bazel/rules/java:bazel-rules-java
  /usr/share/bazel/rules/proto:bazel-rules-proto
  bindfs:bindfs
  bsdtar:libarchive-tools
  bwrap:bubblewrap
  debootstrap:debootstrap
  docker-registry:docker-registry
  podman:podman
  go:golang-go
  chromium:chromium
  redis-server:redis-server
  /usr/share/doc/python3-venv:python3-venv
  runc:runc
  setpriv:util-linux
  skopeo:skopeo
  umoci:umoci
  /usr/bin/busybox:busybox-static
  /usr/share/keyrings/debian-archive-keyring.gpg:debian-archive-keyring
)

fail() {
  printf 'setup: %s\n' "$*" >&2
  exit 1
}

present() {
  case $1 in
    /*) [ -e "$1" ] ;;
    *) command -v "$1" >/dev/null ;;
  esac
}

install_debian() {
  local missing=() entry
  for entry in "$@"; do
    present "${entry%%:*}" || missing+=("${entry##*:}")
  done
  [ ${#missing[@]} -eq 0 ] && return
  command -v apt-get >/dev/null ||
    fail "this is no Debian: install what these packages hold, then run it again: ${missing[*]}"
  [ "$(id -u)" -eq 0 ] ||
    fail "not root: run this first, then again: sudo apt-get install --no-install-recommends ${missing[*]}"
  echo "setup: installing ${missing[*]}"
  # RUNLEVEL=1 keeps the packages' daemons from being started: tests start
  # their own on free ports.
  local log
  log=$(mktemp)
  if ! (
    export DEBIAN_FRONTEND=noninteractive RUNLEVEL=1
    apt-get update -qq &&
      apt-get install -qq -y --no-install-recommends "${missing[@]}"
  ) >"$log" 2>&1; then
    tail -n 20 "$log" >&2
    fail "apt-get could not install: ${missing[*]}"
  fi
  rm -f "$log"
}

need_node() {
  command -v node >/dev/null || fail "Node.js 20.19 or newer is missing"
  node -e '
    const [major, minor] = process.versions.node.split(".").map(Number);
    process.exit(major > 20 || (major === 20 && minor >= 19) ? 0 : 1);
  ' || fail "Node.js is $(node --version), and must be 20.19 or newer"
  command -v npm >/dev/null || fail "npm is missing"
}

need_rust() {
  command -v cargo >/dev/null || fail "Rust's cargo is missing (1.85 or newer)"
  local target
  for target in x86_64-unknown-linux-musl aarch64-unknown-linux-musl; do
    [ -d "$(rustc --print sysroot)/lib/rustlib/$target" ] && continue
    command -v rustup >/dev/null ||
      fail "Rust's target $target is missing, and there is no rustup to add it"
    echo "setup: adding Rust's target $target"
    rustup -q target add "$target" >/dev/null 2>&1 ||
      fail "rustup could not add the target $target"
  done
}

case ${1:-} in
  build) install_debian "${build_tools[@]}" ;;
  test) install_debian "${build_tools[@]}" "${test_tools[@]}" ;;
  *) fail "usage: scripts/setup.sh build|test" ;;
esac
need_node
need_rust
