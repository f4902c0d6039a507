#!/usr/bin/env bash
# Runs everything that CI runs, goes on after a failure, and ends with the
# names of what failed and the counts of all runners: "N passed, N failed".
set -uo pipefail
cd "$(dirname "$0")/.."

passed=0
failures=0
failed_names=()

# A step without counts of its own: it passes or fails as a whole.
step() {
  local name=$1
  shift
  echo "== $name"
  if "$@"; then
    passed=$((passed + 1))
  else
    echo "== FAILED: $name"
    failures=$((failures + 1))
    failed_names+=("$name")
  fi
}

# What a test that timed out left running must not keep all others waiting.
run_jest() {
  local report=$1
  shift
  npm run --silent jest -- --forceExit --json --outputFile="$report" "$@" >/dev/null
}

# Adds the counts that jest wrote; a run without a report counts as a failure.
# A few suites that failed are run once more by themselves, and then count:
# what really broke breaks again, and what took too long beside others does not.
jest_suite() {
  local reports failed counts names
  echo "== jest $*"
  reports=$(mktemp -d)
  run_jest "$reports/1" "$@"
  node scripts/jest-report.mjs slowest "$reports/1" || true
  mapfile -t failed < <(node scripts/jest-report.mjs failed "$reports/1")
  if [ ${#failed[@]} -ge 1 ] && [ ${#failed[@]} -le 3 ]; then
    echo "== once more, by themselves: ${failed[*]##*/dist/}"
    run_jest "$reports/2" --runInBand "${failed[@]}"
  fi
  counts=$(node scripts/jest-report.mjs counts "$reports"/*) || counts="0 1"
  [ -e "$reports/1" ] || failed_names+=("jest $*: no report")
  mapfile -t names < <(node scripts/jest-report.mjs failures "$reports"/*)
  failed_names+=("${names[@]}")
  rm -r "$reports"
  passed=$((passed + ${counts% *}))
  failures=$((failures + ${counts#* }))
}

# Adds the counts of every "test result:" line of cargo.
cargo_suite() {
  local output names
  echo "== cargo test"
  output=$(mktemp)
  (cd services/chroot-helper && cargo test --quiet --no-fail-fast 2>&1) | tee "$output"
  if [ "${PIPESTATUS[0]}" -ne 0 ] && ! grep -q '^test result: FAILED' "$output"; then
    failures=$((failures + 1))
    failed_names+=("cargo test: no result")
  fi
  while read -r ok bad; do
    passed=$((passed + ok))
    failures=$((failures + bad))
  done < <(sed -nE 's/^test result: .* ([0-9]+) passed; ([0-9]+) failed.*/\1 \2/p' "$output")
  # Cargo lists them indented, after what they printed.
  mapfile -t names < <(sed -nE 's/^    ([a-z0-9_:]+)$/cargo test: \1/p' "$output")
  failed_names+=("${names[@]}")
  rm -f "$output"
}

step "format and lint" npm run --silent lint
step "types" scripts/build.sh # what `make` has just compiled is not compiled again
step "rustfmt" bash -c 'cd services/chroot-helper && cargo fmt --check'
step "clippy" bash -c 'cd services/chroot-helper && cargo clippy --quiet --all-targets -- -D warnings'
cargo_suite
# By default jest leaves one core idle: half of a machine that has two.
jest_suite --maxWorkers=100% dist/lib dist/services dist/bench dist/test/architecture
# What counts seconds, or keeps both cores busy, runs by itself.
alone='integration/workflow-'
jest_suite --maxWorkers=100% dist/test/integration --testPathIgnorePatterns="$alone"
jest_suite --runInBand "dist/test/$alone"
# Each has servers of its own, and waits for them more than it computes.
jest_suite --maxWorkers=100% dist/test/e2e

echo
for name in "${failed_names[@]}"; do echo "FAILED: $name"; done
echo "$passed passed, $failures failed"
[ "$failures" -eq 0 ]
