#!/usr/bin/env bash
# Builds the command in release mode.
source "$(dirname "$0")/lib.sh"

need_rust
cargo build --release --bin coppice
