#!/usr/bin/env bash
# The wasm side of Coppice: tools/wasm.sh build | test [FILTER] | lint
#   build  www/src/wasm/coppice.js and coppice_bg.wasm, for the page; does nothing where nothing changed
#   test   tests/wasm.rs in Node, on the same dependencies
#   lint   Clippy for wasm32, warnings denied
# The toolchain is rustup's wasm32 target where it is there or can be added, else Debian's own packages with std built
# from source. COPPICE_WASM_TOOLCHAIN=rustup or =debian picks one.
source "$(dirname "$0")/lib.sh"

target=wasm32-unknown-unknown
out=www/src/wasm
tools=target/tools/release/coppice-bindgen

rustup_target() {
  [ -d "$(rustc --print sysroot)/lib/rustlib/$target/lib" ] && return 0
  # Debian's way was prepared before: take it, rather than ask again for what was not to be had.
  [ -x /usr/bin/wasm-ld-19 ] && [ -d /usr/lib/rustlib/src/rust ] && return 1
  command -v rustup >/dev/null || return 1
  # Where the download is out of reach rustup may wait for ever; give it little time if there is another way.
  local patience=300
  [ -f /etc/debian_version ] && [ "$(id -u)" = 0 ] && patience=20
  say "asking rustup for the target $target (at most $patience s)"
  timeout "$patience" rustup target add "$target" >/dev/null 2>&1 </dev/null
}

choose_toolchain() {
  local choice=${COPPICE_WASM_TOOLCHAIN:-}
  if [ "$choice" = rustup ] || { [ "$choice" != debian ] && rustup_target; }; then
    say "wasm toolchain: rustup's $target target ($(rustc --version | cut -d' ' -f1,2))"
    cargo=(cargo)
    flags=()
    dir=target/wasm
  else
    packages "a Rust that builds for $target" rustc-web cargo-web rust-web-src lld-19
    say "wasm toolchain: Debian's packages, std from source ($(/usr/bin/rustc --version | cut -d' ' -f1,2))"
    cargo=(env RUSTC=/usr/bin/rustc RUSTC_BOOTSTRAP=1 CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER=wasm-ld-19 /usr/bin/cargo)
    flags=(-Zbuild-std=std,panic_abort)
    dir=target/wasm-debian
  fi
  flags+=(--release --target "$target" --target-dir "$dir" --no-default-features)
  # One unit, linked as a whole: each of several would have its own copies of the futures that it polls, a sixth of the module.
  flags+=(--config 'profile.release.lto="fat"' --config 'profile.release.codegen-units=1')
  # What a person downloads first: small where speed is elsewhere. Products are in candle's and gemm's crates, which stay fast.
  local crate
  for crate in coppice tokenizers regex-automata regex-syntax fancy-regex aho-corasick serde_json; do
    flags+=(--config "profile.release.package.$crate.opt-level=\"s\"")
  done
}

run_cargo() {
  local command=$1
  shift
  RUSTFLAGS="-C target-feature=+simd128" "${cargo[@]}" "$command" "${flags[@]}" "$@"
}

build_tools() {
  cargo build --quiet --release --manifest-path tools/bindgen/Cargo.toml --target-dir target/tools
}

build() {
  need_node
  build_tools
  run_cargo build --lib
  local linked=$dir/$target/release/coppice.wasm wanted
  wanted=$(digest "$linked" "$tools" www/package-lock.json tools/wasm.sh)
  if [ "$(cat "$out/.stamp" 2>/dev/null)" != "$wanted" ]; then
    rm -rf "$out"
    "$tools" page "$linked" "$out"
    local bound=$out/coppice_bg.wasm
    # LLVM has optimised it already: Binaryen's own -O2 and -Oz make it 4 to 6 % larger once it is gzipped.
    node www/node_modules/binaryen/bin/wasm-opt --duplicate-function-elimination --vacuum --enable-simd --enable-bulk-memory --enable-nontrapping-float-to-int \
      --enable-sign-ext --enable-mutable-globals --enable-reference-types --enable-multivalue "$bound" -o "$bound.small"
    mv "$bound.small" "$bound"
    echo "$wanted" >"$out/.stamp"
  fi
  node tools/size.mjs 2000000 "$out/coppice_bg.wasm" "$out/coppice.js"
}

test() {
  build_tools
  CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_RUNNER="$PWD/$tools test" run_cargo test --test wasm -- "$@"
}

lint() {
  if [ "${cargo[0]}" != cargo ]; then
    packages "Clippy for Debian's wasm compiler" rust-web-clippy
    # Named by its path: the first cargo-clippy on the PATH is rustup's.
    cargo=("${cargo[@]:0:${#cargo[@]}-1}" CARGO=/usr/bin/cargo /usr/bin/cargo-clippy)
  fi
  run_cargo clippy --lib --test wasm -- -D warnings
}

case "${1:-}" in
  build | test | lint)
    need_rust
    choose_toolchain
    "$@"
    ;;
  *) fail "usage: tools/wasm.sh build | test [FILTER] | lint" ;;
esac
