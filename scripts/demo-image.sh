#!/usr/bin/env bash
# Makes the images of demo, end-to-end tests and benchmarks, another release
# than the host's, as an OCI layout: "base", Debian trixie, and "latest", with
# gcc in a second layer. Made once and kept; prints the layout's path.
set -euo pipefail

version=3 # raise when what is made below changes
suite=trixie
cache=${XDG_CACHE_HOME:-$HOME/.cache}/berth
layout=$cache/$suite-gcc-$version

if [ -e "$layout/index.json" ]; then
  echo "$layout"
  exit
fi
[ "$(id -u)" -eq 0 ] || {
  echo "demo-image: debootstrap needs root; set BERTH_DEMO_IMAGE to an image of yours instead" >&2
  exit 1
}

mkdir -p "$cache"
# One maker at a time; a second one finds the image made.
exec 9>"$cache/lock"
flock 9
if [ -e "$layout/index.json" ]; then
  echo "$layout"
  exit
fi
work=$(mktemp -d "$cache/making.XXXXXX")
trap 'rm -rf --one-file-system "$work"' EXIT

echo "demo-image: making Debian $suite with gcc by debootstrap (a minute)" >&2
debootstrap --variant=minbase --include=gcc,libc6-dev "$suite" "$work/root" \
  >"$work/log" 2>&1 || {
  tail -n 20 "$work/log" >&2
  exit 1
}
# What no action reads makes the image slow to pull.
rm -rf "$work"/root/{var/cache/apt,var/lib/apt/lists,var/log,usr/share/{doc,man,locale,info}}/*
# Device nodes are of no use: the sandbox brings its own /dev.
rm -rf "$work"/root/dev/*

# The second layer has the files of all packages that came with gcc alone.
debootstrap --variant=minbase --print-debs "$suite" "$work/unused" 2>/dev/null |
  tr ' ' '\n' >"$work/base.packages"
(
  cd "$work/root/var/lib/dpkg/info"
  for list in *.list; do
    name=${list%.list}
    grep -qxF "${name%:*}" "$work/base.packages" || cat "$list"
  done
) | while read -r path; do
  if [ -L "$work/root$path" ] || [ -f "$work/root$path" ]; then echo ".$path"; fi
done | sort -u >"$work/gcc.files"

pack() { tar --create --numeric-owner --sort=name -C "$work/root" "$@"; }
pack --anchored --no-wildcards --exclude-from="$work/gcc.files" --file "$work/base.tar" .
pack --files-from="$work/gcc.files" --file "$work/gcc.tar"

umoci init --layout "$work/layout"
umoci new --image "$work/layout:base"
umoci raw add-layer --image "$work/layout:base" "$work/base.tar"
umoci config --image "$work/layout:base" \
  --config.env PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
  --config.env BERTH_DEMO_IMAGE_ENV=from-the-image
umoci raw add-layer --image "$work/layout:base" --tag latest "$work/gcc.tar"
umoci gc --layout "$work/layout"
mv "$work/layout" "$layout"
echo "$layout"
