#!/usr/bin/env bash
# Runs everything that CI runs, goes on after a failure, and ends with the
# counts of all runners: "N passed, N failed".
set -uo pipefail
cd "$(dirname "$0")/.."

passed=0
failed=0

# A step without counts of its own: it passes or fails as a whole.
step() {
  local name=$1
  shift
  echo "== $name"
  if "$@"; then
    passed=$((passed + 1))
  else
    echo "== FAILED: $name"
    failed=$((failed + 1))
  fi
}

# The suites that took longest: where time is to be found.
slowest() {
  node -e '
    const { testResults } = JSON.parse(require("fs").readFileSync(process.argv[1]));
    testResults
      .map(({ name, startTime, endTime }) => [endTime - startTime, name])
      .sort(([a], [b]) => b - a)
      .slice(0, 8)
      .forEach(([ms, name]) =>
        console.log(`   ${(ms / 1000).toFixed(0).padStart(4)} s  ${require("path").relative(process.cwd(), name)}`));
  ' "$1" || true
}

# Adds the counts that jest wrote; a run without a report counts as a failure.
# What a test that timed out left running must not keep all others waiting.
jest_suite() {
  local report counts
  echo "== jest $*"
  report=$(mktemp)
  NODE_OPTIONS='--experimental-vm-modules --no-warnings --enable-source-maps' \
    npx --no-install jest --forceExit --json --outputFile="$report" "$@" >/dev/null
  slowest "$report"
  counts=$(node -e '
    const report = JSON.parse(require("fs").readFileSync(process.argv[1]));
    const broken = report.numRuntimeErrorTestSuites;
    console.log(report.numPassedTests, report.numFailedTests + broken);
  ' "$report") || counts="0 1"
  rm -f "$report"
  passed=$((passed + ${counts% *}))
  failed=$((failed + ${counts#* }))
}

# Adds the counts of every "test result:" line of cargo.
cargo_suite() {
  local output
  echo "== cargo test"
  output=$(mktemp)
  (cd services/chroot-helper && cargo test --quiet --no-fail-fast 2>&1) | tee "$output"
  if [ "${PIPESTATUS[0]}" -ne 0 ] && ! grep -q '^test result: FAILED' "$output"; then
    failed=$((failed + 1))
  fi
  while read -r ok bad; do
    passed=$((passed + ok))
    failed=$((failed + bad))
  done < <(sed -nE 's/^test result: .* ([0-9]+) passed; ([0-9]+) failed.*/\1 \2/p' "$output")
  rm -f "$output"
}

step "format and lint" npm run --silent lint
step "types" scripts/build.sh # what `make` has just compiled is not compiled again
step "rustfmt" bash -c 'cd services/chroot-helper && cargo fmt --check'
step "clippy" bash -c 'cd services/chroot-helper && cargo clippy --quiet --all-targets -- -D warnings'
cargo_suite
# By default jest leaves one core idle: half of a machine that has two.
jest_suite --maxWorkers=100% dist/lib dist/services dist/bench dist/test/architecture
# What measures memory and waits, or keeps both cores busy, runs by itself.
alone='integration/(root-fetcher-pulls|root-fetcher-cas|image-import-peers|workflow-)'
jest_suite --maxWorkers=100% dist/test/integration --testPathIgnorePatterns="$alone"
jest_suite --runInBand "dist/test/$alone"
# Each has servers of its own, and waits for them more than it computes.
jest_suite --maxWorkers=100% dist/test/e2e

echo
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
