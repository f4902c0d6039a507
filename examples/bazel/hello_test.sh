#!/bin/bash
# Passes where the compiled program runs against the libc it was built for.
set -eu
"$1" | tee /dev/stderr | grep -q '^hello from gcc '
