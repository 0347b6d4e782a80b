#!/usr/bin/env bash
# All that only a card can show, in order of worth: one JSON file a step in $OUT. A second call goes on where it stopped.
# DEVICE=cpu rehearses every step on tiny sizes. PYTHON is the environment's; SECONDS_LEFT is for all steps together.
# Steps that are named are taken alone.
set -u
cd "$(dirname "$0")/.."
out=${OUT:-build/card}; device=${DEVICE:-cuda}; python=${PYTHON:-.venv/bin/python}; left=${SECONDS_LEFT:-480}
mkdir -p "$out"
end=$(($(date +%s) + left)); failed=0
[ $# -gt 0 ] || set -- tests shape launches decode published command demo resume
for step in "$@"; do
  [ -s "$out/$step.json" ] && continue
  rest=$((end - $(date +%s)))
  [ "$rest" -gt 5 ] || { echo "no time left for $step; call again"; exit 3; }
  if timeout "$rest" "$python" tests/card.py "$step" --device "$device" >"$out/$step.part" 2>"$out/$step.log"; then
    mv "$out/$step.part" "$out/$step.json"; cat "$out/$step.json"
  else
    echo "$step failed: $(tail -n 1 "$out/$step.log")"; failed=1
  fi
done
exit "$failed"
