# What the scripts beside this file share: sourced, never run. They all work from the root of the checkout.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

say() { printf 'coppice: %s\n' "$*" >&2; }
fail() {
  printf 'error: %s\n' "$*" >&2
  exit 1
}

# packages WHAT PACKAGE...: installs the missing Debian packages where that is possible, else names them in one sentence.
packages() {
  local what=$1 missing=() package
  shift
  for package in "$@"; do
    [ "$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null || true)" = installed ] || missing+=("$package")
  done
  [ ${#missing[@]} -gt 0 ] || return 0
  if ! command -v apt-get >/dev/null; then
    fail "$what is missing; install your system's equivalent of the Debian packages ${missing[*]} and run this again."
  elif [ "$(id -u)" != 0 ]; then
    fail "$what is missing; run \`sudo apt-get install ${missing[*]}\` and then this again."
  fi
  say "installing ${missing[*]} ($what)"
  local log
  log=$(mktemp)
  if ! { apt-get -q update && DEBIAN_FRONTEND=noninteractive apt-get -q install -y --no-install-recommends "${missing[@]}"; } >"$log" 2>&1 </dev/null; then
    tail -n 20 "$log" >&2
    fail "apt-get could not install ${missing[*]} ($what); install them by hand and run this again."
  fi
  rm -f "$log"
}

# What every target needs: Cargo, and a C compiler to link with.
need_rust() {
  command -v cargo >/dev/null || fail "Cargo is missing; install Rust 1.95 or later with rustup (https://rustup.rs) and run this again."
  command -v cc >/dev/null || packages "a C compiler, which Rust links with," gcc libc6-dev
}

# rustfmt and Clippy, which rustup's minimal profile leaves out.
need_lints() {
  local tool
  for tool in fmt clippy; do
    cargo "$tool" --version >/dev/null 2>&1 && continue
    timeout 300 rustup component add rustfmt clippy >/dev/null 2>&1 </dev/null ||
      fail "cargo $tool is missing and rustup could not add it; run \`rustup component add rustfmt clippy\` and then this again."
  done
}

# Node 20.19 or later, and the page's packages as the lock file names them.
need_node() {
  local version
  version=$(node --version 2>/dev/null) || fail "Node is missing; install Node 20.19 or later (https://nodejs.org) and run this again."
  node -e 'const [a, b] = process.versions.node.split(".").map(Number); process.exit(a > 20 || (a === 20 && b >= 19) ? 0 : 1)' ||
    fail "Node $version is too old; install Node 20.19 or later and run this again."
  command -v npm >/dev/null || fail "npm is missing; install it beside Node $version and run this again."
  local stamp=www/node_modules/.coppice wanted
  wanted=$(digest www/package.json www/package-lock.json)
  [ "$(cat "$stamp" 2>/dev/null)" != "$wanted" ] || return 0
  say "installing the page's packages with npm"
  npm ci --prefix www --no-audit --no-fund --loglevel=error >&2 </dev/null || fail "npm could not install the packages of www/package-lock.json; look at its messages above."
  echo "$wanted" >"$stamp"
}

# A Vulkan loader and at least one driver, for the native GPU tests.
need_vulkan() {
  [ "$(uname -s)" = Linux ] || return 0
  # Mesa's drivers complain about every adapter where a session has none.
  if [ -z "${XDG_RUNTIME_DIR:-}" ]; then
    mkdir -p -m 700 out/runtime
    export XDG_RUNTIME_DIR=$PWD/out/runtime
  fi
  if ! ldconfig -p 2>/dev/null | grep -q 'libvulkan\.so\.1' || ! compgen -G '/usr/share/vulkan/icd.d/*.json' >/dev/null &&
    ! compgen -G '/etc/vulkan/icd.d/*.json' >/dev/null; then
    packages "a Vulkan driver for the GPU tests" libvulkan1 mesa-vulkan-drivers
  fi
}

# A Chromium for the browser tests; they read its path from COPPICE_CHROMIUM.
need_chromium() {
  local name
  for name in "${COPPICE_CHROMIUM:-}" chromium chromium-browser google-chrome; do
    if [ -n "$name" ] && command -v "$name" >/dev/null; then
      COPPICE_CHROMIUM=$(command -v "$name")
      export COPPICE_CHROMIUM
      return 0
    fi
  done
  packages "Chromium for the browser tests" chromium
  export COPPICE_CHROMIUM=/usr/bin/chromium
}

# A Firefox for its browser test, which reads its path from COPPICE_FIREFOX.
need_firefox() {
  local name
  for name in "${COPPICE_FIREFOX:-}" firefox-esr firefox; do
    if [ -n "$name" ] && command -v "$name" >/dev/null; then
      COPPICE_FIREFOX=$(command -v "$name")
      export COPPICE_FIREFOX
      return 0
    fi
  done
  packages "Firefox for the browser tests" firefox-esr
  export COPPICE_FIREFOX=/usr/bin/firefox-esr
}

# digest FILE...: one checksum of the contents of files.
digest() {
  if command -v sha256sum >/dev/null; then cat "$@" | sha256sum; else cat "$@" | shasum -a 256; fi | cut -d' ' -f1
}
