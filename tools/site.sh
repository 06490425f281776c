#!/usr/bin/env bash
# Writes the static site to dist/: the wasm, the page, the demo models. Prints its sizes and fails over the budget.
source "$(dirname "$0")/lib.sh"

need_node
tools/wasm.sh build
npm --prefix www run --silent build
# All that there is, in both languages; what a first load takes of it is held under 2,000,000 by tests/browser/budget.test.mjs.
node tools/size.mjs 2400000 dist
