#!/usr/bin/env bash
# Writes the static site to dist/: the wasm, the page, the demo models. Prints its sizes and fails over the budget.
source "$(dirname "$0")/lib.sh"

need_node
tools/wasm.sh build
npm --prefix www run --silent build
node tools/size.mjs 2000000 dist
