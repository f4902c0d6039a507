# Prints flags for Debian's Bazel where there is no internet: the repositories
# that it would fetch, from Debian's packages and from this folder.
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
printf '%s\n' \
  "--override_repository=rules_cc=$here/rules_cc" \
  "--override_repository=rules_java=/usr/share/bazel/rules/java" \
  "--override_repository=rules_proto=/usr/share/bazel/rules/proto" \
  "--override_repository=remote_coverage_tools=$here/remote_coverage_tools"
