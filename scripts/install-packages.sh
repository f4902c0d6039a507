#!/usr/bin/env bash
# Installs the npm packages of the lock file; quick when it did not change.
set -euo pipefail
cd "$(dirname "$0")/.."

stamp=node_modules/.berth-lock
cmp -s package-lock.json "$stamp" && exit
echo "setup: npm install"
# Not npm ci: it insists on lock entries for the optional packages of other
# platforms, which not every mirror holds. Native packages are compiled here,
# not downloaded ready-made.
npm_config_build_from_source=true npm install --no-save --no-fund --no-audit --loglevel=error
cp package-lock.json "$stamp"
