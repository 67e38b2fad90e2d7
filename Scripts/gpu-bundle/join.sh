#!/usr/bin/env bash
# Puts together what `run.sh collect` took apart: checks every part, joins and unpacks them.
#
#   bash join.sh [folder]       into this folder (default: joined, beside the parts)
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
target=${1:-$here/joined}
fail() { printf 'join.sh: %s\n' "$*" >&2; exit 1; }
sha256() { if command -v sha256sum >/dev/null; then sha256sum "$1"; else shasum -a 256 "$1"; fi | cut -d ' ' -f 1; }

[ -f "$here/SHA256SUMS" ] || fail "$here holds no SHA256SUMS. It must hold all that collect wrote"
parts=()
while read -r sum name; do
  case $name in
    weights.tar) whole=$sum ;;
    *)
      [ -f "$here/$name" ] || fail "$name is missing. Collect it again (./run.sh collect --parts ${name##*-}-${name##*-})"
      [ "$(sha256 "$here/$name")" = "$sum" ] || fail "$name is damaged. Fetch it again"
      parts+=("$here/$name") ;;
  esac
done <"$here/SHA256SUMS"
[ ${#parts[@]} -gt 0 ] || fail "$here/SHA256SUMS names no parts. Fetch it again"
mkdir -p "$target"
trap 'rm -f "$target/weights.tar"' EXIT
cat "${parts[@]}" >"$target/weights.tar"
[ "$(sha256 "$target/weights.tar")" = "$whole" ] || fail "the parts do not belong together. Fetch them all from one collect"
tar -xf "$target/weights.tar" -C "$target"
for package in "$target"/runs/*/package; do
  [ ! -d "$package" ] || printf 'package  %s\n' "$package"
done
