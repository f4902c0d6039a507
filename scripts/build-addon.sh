#!/usr/bin/env bash
# Compiles an npm package's native part, rather than to have it downloaded
# ready-made; quick when it was compiled for this version of Node before.
#
# usage: scripts/build-addon.sh PACKAGE
set -euo pipefail
cd "$(dirname "$0")/.."

stamp=node_modules/$1/build/.berth-abi
abi=$(node -p process.versions.modules)
[ "$(cat "$stamp" 2>/dev/null)" = "$abi" ] && exit
echo "setup: compiling $1"
npm_config_build_from_source=true npm rebuild --loglevel=error "$1" >/dev/null
echo "$abi" >"$stamp"
