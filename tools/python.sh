#!/usr/bin/env bash
# Makes .venv with what tests/oracle/requirements.txt pins; does nothing where it stands. PyTorch for Linux brings its
# GPU libraries along and does not start without them: about 6 GB on disk, two to five minutes.
source "$(dirname "$0")/lib.sh"

requirements=tests/oracle/requirements.txt
wanted=$(digest "$requirements")
[ "$(cat .venv/.coppice 2>/dev/null)" != "$wanted" ] || exit 0

new_enough() { "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; }
python=
for name in python3 python3.13 python3.12 python3.11 /usr/bin/python3; do
  if new_enough "$name"; then
    python=$name
    break
  fi
done
if [ -z "$python" ]; then
  packages "Python 3.11 or later for the oracle checks" python3 python3-venv
  python=/usr/bin/python3
  new_enough "$python" || fail "$("$python" --version) is too old for the oracle checks; install Python 3.11 or later and run this again."
fi
if ! "$python" -c 'import ensurepip, venv' 2>/dev/null; then
  packages "Python's venv module" python3-venv
fi

say "making .venv with PyTorch and Transformers (about 6 GB)"
rm -rf .venv
"$python" -m venv .venv || fail "$python could not make .venv; install its venv module and run this again."
.venv/bin/python -m pip install --quiet --disable-pip-version-check -r "$requirements" </dev/null ||
  fail "pip could not install what $requirements names; look at its messages above."
echo "$wanted" >.venv/.coppice
