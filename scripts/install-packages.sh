#!/usr/bin/env bash
# Installs the npm packages of the lock file; quick when it did not change.
# Native ones are not usable yet: see build-addon.sh.
set -euo pipefail
cd "$(dirname "$0")/.."

stamp=node_modules/.berth-lock
cmp -s package-lock.json "$stamp" && exit
echo "setup: npm install"
# Not npm ci: it insists on lock entries for the optional packages of other
# platforms, which not every mirror holds. Without the packages' own scripts:
# one after the other they compile for minutes, some of it nothing that we use.
npm install --ignore-scripts --no-save --no-fund --no-audit --loglevel=error
cp package-lock.json "$stamp"
