#!/usr/bin/env bash
# Pictures of every screen of the built page, in docs/screens/: tools/screenshots.sh [NAME...]
source "$(dirname "$0")/lib.sh"

need_node
need_chromium
node tools/screenshots.mjs "$@"
