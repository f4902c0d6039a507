#!/usr/bin/env bash
# Serves the images of the examples from a registry on loopback, until Ctrl-C:
# debian:trixie, and those of Dray's document (centurylink/randword, upper,
# reverse). They stand where Docker Hub has its own, for
#
#   bin/berth up --mirror docker.io=127.0.0.1:5000
#
#   serve-images.sh [PORT]
set -euo pipefail
cd "$(dirname "$0")/../.."

registry=127.0.0.1:${1:-5000}
layout=$(scripts/demo-image.sh)
work=$(mktemp -d)
server=
stop() {
  [ -z "$server" ] || kill "$server" 2>/dev/null || true
  rm -rf "$work"
}
trap stop EXIT
trap 'exit 0' INT TERM

# Layers are shared by hard links; only the index is written anew.
cp -al "$layout" "$work/layout"
cp --remove-destination "$layout/index.json" "$work/layout/index.json"
make_image() { # make_image TAG SCRIPT
  umoci tag --image "$work/layout:latest" "$1"
  umoci config --image "$work/layout:$1" --clear=config.cmd \
    --config.entrypoint /bin/sh --config.entrypoint -c --config.entrypoint "$2"
}
make_image randword 'shuf -r -n "${WORD_COUNT:-1}" -e wharf quay jetty pier mooring anchor'
make_image upper 'tr a-z A-Z'
make_image reverse 'perl -lpe "\$_ = reverse"'

printf '%s\n' 'version: 0.1' 'log: {level: error}' "http: {addr: '$registry'}" \
  "storage: {filesystem: {rootdirectory: $work/registry}}" >"$work/registry.yml"
docker-registry serve "$work/registry.yml" >"$work/log" 2>&1 &
server=$!
push() {
  skopeo copy --quiet --dest-tls-verify=false --retry-times 3 \
    "oci:$work/layout:$1" "docker://$registry/$2"
}
until (exec 3<>"/dev/tcp/${registry/:/\/}") 2>/dev/null; do
  kill -0 "$server" 2>/dev/null || { tail -n 3 "$work/log" >&2; exit 1; }
  sleep 0.1
done
push latest library/debian:trixie
for name in randword upper reverse; do push "$name" "centurylink/$name:latest"; done

echo "serving debian:trixie and Dray's images; in another terminal:"
echo "  bin/berth up --mirror docker.io=$registry"
wait "$server"
