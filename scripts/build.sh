#!/usr/bin/env bash
# Generates code from proto/ and compiles TypeScript, each only when something
# that goes into it has changed: what went in last is kept as a digest.
set -euo pipefail
cd "$(dirname "$0")/.."

# Digest of names and contents of all files beneath the paths given.
digest() {
  find "$@" -type f -not -path '*/target/*' -print0 | LC_ALL=C sort -z |
    xargs -0 sha256sum | sha256sum
}

# fresh STAMP PATH…: whether the stamp has the digest of the paths.
fresh() {
  local stamp=$1
  shift
  now=$(digest "$@")
  [ -e "$stamp" ] && [ "$(cat "$stamp")" = "$now" ]
}

tools=(package.json package-lock.json scripts/build.sh scripts/bundle.mjs)

stamp=gen/.inputs
if ! fresh "$stamp" proto buf.yaml buf.gen.yaml "${tools[@]}"; then
  rm -f "$stamp"
  npx buf generate proto
  echo "$now" >"$stamp"
fi

stamp=dist/.inputs
if ! fresh "$stamp" gen lib services test bench tsconfig.json "${tools[@]}"; then
  rm -f "$stamp"
  npx tsc
  npx tsc -p services/workflow/web
  # What of the web page is no code goes beside its code.
  (cd services/workflow/web && find . \( -name '*.html' -o -name '*.css' \
    -o -name '*.svg' \) -exec cp --parents -t ../../../dist/services/workflow/web {} +)
  mkdir -p dist/services/workflow/web/modules
  cp node_modules/preact/{dist/preact,hooks/dist/hooks,jsx-runtime/dist/jsxRuntime}.mjs \
    dist/services/workflow/web/modules
  # Of a source that is gone nothing may stay: its tests would still run.
  find dist -name '*.js' -not -path 'dist/programs/*' | while read -r file; do
    source=${file#dist/}
    [ -e "${source%.js}.ts" ] || [ -e "${source%.js}.tsx" ] ||
      rm -f "$file" "$file.map"
  done
  node scripts/bundle.mjs
  echo "$now" >"$stamp"
fi
