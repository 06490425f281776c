#!/usr/bin/env bash
# Fails where a tracked file names a place of one machine or of one network, or where build output is tracked.
source "$(dirname "$0")/lib.sh"

bad=0
tracked() { git -c safe.directory='*' "$@"; }
# refuse WHAT PATTERN PATHSPEC...
refuse() {
  local what=$1 pattern=$2 found
  shift 2
  found=$(tracked grep -nIE "$pattern" -- "$@" ':!tools/check-tree.sh' | cut -c1-160) || return 0
  printf 'error: %s:\n%s\n' "$what" "$found" >&2
  bad=1
}

tracked rev-parse --is-inside-work-tree >/dev/null 2>&1 || fail "check-tree.sh looks at tracked files and found no Git checkout here; run it in a clone."
data=(':!www/models/**/*.txt' ':!www/models/**/tokenizer.json' ':!www/data/*.tsv')
refuse "paths of one machine" '(^|[^A-Za-z0-9_./-])/(work|farm|root|home|Users|tmp/boot)/[A-Za-z0-9_.]' . "${data[@]}"
refuse "hosts of package registries" 'registry\.npmjs|registry\.yarnpkg|npmmirror|pypi\.org|pythonhosted|index\.crates\.io|static\.crates\.io|artifactory|verdaccio|devpi' . "${data[@]}"
refuse "resolved addresses in a package lock (set omit-lockfile-registry-resolved=true in .npmrc and make it again)" '"resolved": *"http' '*package-lock.json'
output=$(tracked ls-files -- target dist out .venv .tools 'www/src/wasm' 'www/node_modules')
if [ -n "$output" ]; then
  printf 'error: build output is tracked:\n%s\n' "$output" >&2
  bad=1
fi
exit "$bad"
