#!/usr/bin/env bash
# The main job, end to end: a real Bazel builds examples/bazel on berth's
# engine, and every action runs in a real image of another Debian release.
#
#   BERTH_DEMO_IMAGE=registry/repository@sha256:…   an image of yours instead
set -euo pipefail
cd "$(dirname "$0")/.."

work=$(mktemp -d)
cache=${XDG_CACHE_HOME:-$HOME/.cache}/berth
processes=()

stop() {
  local status=$?
  bazel_run shutdown >/dev/null 2>&1 || true
  local pid
  for pid in "${processes[@]}"; do kill "$pid" 2>/dev/null || true; done
  for pid in "${processes[@]}"; do wait "$pid" 2>/dev/null || true; done
  [ $status -eq 0 ] || sed 's/^/  berth up: /' "$work/up.log" 2>/dev/null | tail -n 20 >&2
  rm -rf "$work"
  exit $status
}

say() { printf '\n\033[1m%s\033[0m\n' "$*"; }

free_port() {
  node -e 'const s = require("net").createServer().listen(0, "127.0.0.1", () => { console.log(s.address().port); s.close(); })'
}

wait_for() { # wait_for SECONDS COMMAND…
  local end=$((SECONDS + $1))
  shift
  until "$@" 2>/dev/null; do
    [ $SECONDS -lt $end ] || { echo "demo: gave up waiting for: $*" >&2; return 1; }
    sleep 0.1
  done
}

bazel_run() {
  (cd examples/bazel && bazel --output_user_root="$cache/bazel" --max_idle_secs=300 "$@")
}

# Bazel's own lines, without those that say nothing about the build.
build() {
  bazel_run test //... $(bash examples/bazel/offline/flags.sh) \
    --remote_executor="grpc://127.0.0.1:$port" \
    --remote_default_exec_properties="container-image=docker://$image" \
    --noshow_progress --curses=no >"$work/bazel.log" 2>&1 || {
    cat "$work/bazel.log" >&2
    return 1
  }
  grep -E '^(INFO: (Elapsed|[0-9]+ process)|//|Executed)' "$work/bazel.log" | sed 's/^/  /'
}

mkdir -p "$cache"
trap stop EXIT

if [ -n "${BERTH_DEMO_IMAGE:-}" ]; then
  image=$BERTH_DEMO_IMAGE
else
  say "An image: Debian trixie with gcc, on a registry of its own"
  layout=$(scripts/demo-image.sh)
  registry=127.0.0.1:$(free_port)
  printf '%s\n' 'version: 0.1' 'log: {level: error}' "http: {addr: '$registry'}" \
    "storage: {filesystem: {rootdirectory: $work/registry}}" >"$work/registry.yml"
  docker-registry serve "$work/registry.yml" >"$work/registry.log" 2>&1 &
  processes+=($!)
  wait_for 10 bash -c "exec 3<>/dev/tcp/${registry/://}"
  skopeo copy --quiet --dest-tls-verify=false \
    "oci:$layout:latest" "docker://$registry/debian:trixie"
  digest=$(skopeo inspect --tls-verify=false --format '{{.Digest}}' "docker://$registry/debian:trixie")
  image=$registry/debian@$digest
fi
echo "  $image"

say "berth up: engine, router, root fetcher and jobs"
port=$(free_port)
jobs=127.0.0.1:$(free_port)
bin/berth up --state "$work/state" --listen "127.0.0.1:$port" --jobs-listen "$jobs" \
  >"$work/up.log" 2>&1 &
processes+=($!)
wait_for 30 grep -q '^berth is up' "$work/up.log"
echo "  grpc://127.0.0.1:$port, http://$jobs/"

say "Bazel builds and tests examples/bazel; every action runs in the image"
build

say "What the actions saw"
echo "  this machine:  $(. /etc/os-release && echo "$PRETTY_NAME"), gcc $(gcc -dumpfullversion)"
sed 's/^/  in the image:  /' examples/bazel/bazel-bin/where.txt
grep -qF 'Debian GNU/Linux 13' examples/bazel/bazel-bin/where.txt ||
  [ -n "${BERTH_DEMO_IMAGE:-}" ]

say "Once more after bazel clean: nothing runs, all comes from the action cache"
bazel_run clean >/dev/null 2>&1
build
grep -q 'remote cache hit' "$work/bazel.log"

say "One command in the image, without Bazel"
echo "  \$ berth run $image -- sh -c 'cat /etc/debian_version; id -un'"
bin/berth run --engine "127.0.0.1:$port" --state "$work/state" "$image" -- \
  sh -c 'cat /etc/debian_version; id -un' | sed 's/^/  /'

say "A job of three steps, each reading what the one before wrote"
export BERTH_SERVER=http://$jobs
job() {
  bin/berth job submit --follow examples/jobs/word-count.yaml \
    --set "steps.generate.image=$image" --set "steps.transform.image=$image" \
    --set "steps.count.image=$image" "$@" >"$work/job.log" 2>&1 || {
    cat "$work/job.log" >&2
    return 1
  }
}
job
sed 's/^/  /' "$work/job.log"

say "The same job again: it says cache: true, so nothing runs"
job
grep '^berth: ' "$work/job.log" | sed 's/^/  /'
[ "$(grep -c '(cached)' "$work/job.log")" -eq 3 ]

say "With another last step, that one alone runs"
job --set 'steps.count.command=sort -u | wc -l'
sed -n '/^berth: /p; /^count/p' "$work/job.log" | sed 's/^/  /'
[ "$(grep -c '(cached)' "$work/job.log")" -eq 2 ]
bin/berth job ls | sed 's/^/  /'
echo "  the page with them: http://$jobs/"

say "The same with the image as the action's input root, by way of CAS (--mode inline)"
inline=$(free_port)
bin/berth up --mode inline --state "$work/inline" --listen "127.0.0.1:$inline" \
  --jobs-listen off >"$work/inline.log" 2>&1 &
processes+=($!)
wait_for 30 grep -q '^berth is up' "$work/inline.log"
bin/berth run --engine "127.0.0.1:$inline" --state "$work/inline" "$image" -- \
  sh -c '. /etc/os-release; echo "$PRETTY_NAME, in $PWD"' | sed 's/^/  /'

if [ -z "${BERTH_DEMO_IMAGE:-}" ]; then
  say "What differs between two images, told by their trees in CAS"
  cp -al "$layout" "$work/layout"
  cp --remove-destination "$layout/index.json" "$work/layout/index.json"
  echo "changed by the demo" >"$work/motd"
  umoci insert --image "$work/layout:latest" --tag changed "$work/motd" /etc/motd
  echo "  \$ berth image diff IMAGE oci:layout:changed"
  bin/berth image diff --cas "127.0.0.1:$inline" --state "$work/inline" \
    "$image" "oci:$work/layout:changed" | sed 's/^/  /' || [ "${PIPESTATUS[0]}" -eq 1 ]
fi

say "Next"
cat <<'END'
  bin/berth up                            the same for your own builds; prints the flags
  bin/berth run IMAGE -- COMMAND          one action in any image
  bin/berth job submit --follow FILE      a job of several containers, as examples/jobs has
                                          them; watch it at http://127.0.0.1:3000/
  bin/berth image ls IMAGE                what an image holds; import, diff, export
  bin/berth doctor                        what this machine lacks
  docs/buildbarn.md                       berth on a Buildbarn cluster
END
if [ -t 0 ] && [ -t 1 ]; then
  say "The page with the jobs is at http://$jobs/ until you press Enter"
  read -r || true
fi
