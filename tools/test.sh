#!/usr/bin/env bash
# All of Coppice's checks: tools/test.sh [--full] [SUITE...]
# Every suite runs even where one before it failed; each one's output also goes to out/test/SUITE.log. The last line is
# the sum over all suites, `N passed, N failed`, and the exit status is 0 only where nothing failed.
# --full adds what takes long: ignored native tests, all dev sentences in the browser, and the oracle on more of them.
source "$(dirname "$0")/lib.sh"

all=(tree format clippy native wasm page browser oracle)
full=
chosen=()
for word in "$@"; do
  case " --full ${all[*]} " in
    *" $word "*) if [ "$word" = --full ]; then full=1; else chosen+=("$word"); fi ;;
    *) fail "there is no suite '$word'; choose from: ${all[*]}." ;;
  esac
done
[ ${#chosen[@]} -gt 0 ] || chosen=("${all[@]}")
export COPPICE_FULL=$full CARGO_TERM_COLOR=${CARGO_TERM_COLOR:-never}
[ -n "$full" ] || unset COPPICE_FULL

suite_tree() { tools/check-tree.sh; }

suite_format() {
  need_lints
  cargo fmt --check
  cargo fmt --manifest-path tools/bindgen/Cargo.toml --check
}

suite_clippy() {
  need_lints
  cargo clippy --all-targets -- -D warnings
  tools/wasm.sh lint
}

suite_native() {
  [ -n "${COPPICE_NO_GPU:-}" ] || need_vulkan
  cargo test --no-fail-fast -- ${full:+--include-ignored}
}

suite_wasm() { tools/wasm.sh test; }

# The page's format, lints and types; the glue of the wasm build is among what it is checked against.
suite_page() {
  tools/site.sh
  npm --prefix www run lint
}

# The downloaded folders are checked with stock Transformers, hence Python.
suite_browser() {
  need_chromium
  need_firefox
  tools/python.sh
  tools/site.sh
  # A real pretrained Llama, which only the long tests have the time for.
  [ -z "$full" ] || [ -f out/smollm2/model.safetensors ] || python3 tools/smollm2.py out/smollm2
  npm --prefix www run "test:browser${full:+:full}"
}

suite_oracle() { tools/oracle.sh ${full:+--full}; }

# counts LOG: what a log says of tests that passed and failed, in the words of Rust, of Node's runner and of the oracle.
counts() {
  awk '
    /^test result: / { for (i = 2; i <= NF; i++) { if ($i ~ /^passed/) p += $(i - 1); if ($i ~ /^failed/) f += $(i - 1) } }
    /^(#|ℹ) pass [0-9]+$/ { p += $3 }
    /^(#|ℹ) (fail|cancelled) [0-9]+$/ { f += $3 }
    /^[0-9]+ passed, [0-9]+ failed$/ { p += $1; f += $3 }
    END { print p + 0, f + 0 }' "$1"
}

# run SUITE: in a shell of its own, outside any condition, so that a suite stops at its first failing step and the others still run.
run() (
  set -e
  "suite_$1"
)

need_rust
mkdir -p out/test
passed=0
failed=0
table=()
oracle=
trap '[ -z "$oracle" ] || kill "$oracle" 2>/dev/null || true' EXIT
for suite in "${chosen[@]}"; do
  log=out/test/$suite.log
  # The oracle keeps one core busy for long, and what comes after the native tests little more: it runs beside that.
  case "$suite ${chosen[*]} " in
    wasm*" oracle "* | page*" oracle "* | browser*" oracle "*)
      if [ -z "$oracle" ] && [ "$(nproc)" -gt 1 ]; then
        # Where this fails, the suites that want it say so.
        tools/python.sh || true
        oracle_start=$SECONDS
        case " ${chosen[*]} " in *" browser "*) export COPPICE_BROWSER_DONE=out/test/browser.done ;; esac
        rm -f out/test/browser.done
        run oracle </dev/null >out/test/oracle.log 2>&1 &
        oracle=$!
      fi
      ;;
  esac
  printf '\n== %s\n' "$suite"
  start=$SECONDS
  set +e
  if [ "$suite" = oracle ] && [ -n "$oracle" ]; then
    start=$oracle_start
    wait "$oracle"
    status=$?
    cat "$log"
  else
    run "$suite" </dev/null 2>&1 | tee "$log"
    status=${PIPESTATUS[0]}
  fi
  set -e
  [ "$suite" != browser ] || touch out/test/browser.done
  read -r p f < <(counts "$log")
  case $suite in
    native | wasm | browser | oracle)
      if [ "$status" = 0 ] && [ "$p" = 0 ]; then
        echo "error: the suite $suite ran no test." | tee -a "$log"
        status=1
      fi
      ;;
    *) [ "$status" != 0 ] || p=1 ;;
  esac
  [ "$status" = 0 ] || [ "$f" != 0 ] || f=1
  passed=$((passed + p))
  failed=$((failed + f))
  table+=("$(printf '%-8s %5d passed %3d failed %5d s' "$suite" "$p" "$f" $((SECONDS - start)))")
done

printf '\n'
printf '%s\n' "${table[@]}"
printf '%d passed, %d failed\n' "$passed" "$failed"
[ "$failed" = 0 ]
