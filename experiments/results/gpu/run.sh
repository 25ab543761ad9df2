#!/usr/bin/env bash
# What one accelerator makes of the library: speed, and learning with many environments.
#
# Each part has a share of the clock, compilation counted, and is interrupted when it is over; what it
# wrote until then stays. Usage: run.sh FOLDER [SHARE [ENVIRONMENTS]]: a factor on all shares, and how
# many environments are stepped side by side. `make gpu` takes 1 and 1024, about 11
# minutes; `make gpu-dry` a third and 16, which shows on a CPU that every part starts.
set -u
out=$1 share=${2:-1} environments=${3:-1024}
python=${PYTHON:-python3}
cd "$(dirname "${BASH_SOURCE[0]}")/../../.."
mkdir -p "$out" || exit
runs=$(mktemp -d)
export XLA_PYTHON_CLIENT_PREALLOCATE=false PYTHONUNBUFFERED=1 COLUMNS=100

# part NAME SECONDS COMMAND...: what it printed becomes NAME.log; a line of parts.jsonl says how long
# it took and its exit status, which is 124 or 130 where its share was over.
part() {
  local name=$1 seconds=$2 begun
  shift 2
  begun=$(date +%s)
  timeout -s INT -k 15 "$(awk "BEGIN { print $seconds * $share }")" "$python" -m experiments "$@" \
    > "$out/$name.log" 2>&1
  echo "{\"part\": \"$name\", \"status\": $?, \"seconds\": $(($(date +%s) - begun))," \
    "\"command\": \"rarebird $*\"}" | tee -a "$out/parts.jsonl"
}

# run NAME SECONDS FLAGS...: training, whose log is kept. It ends with its share.
run() {
  local name=$1 seconds=$2
  shift 2
  part "$name" "$seconds" train --out "$runs/$name" --steps 100000000000 --checkpoint-rows 1000 "$@"
  cp "$runs/$name/metrics.jsonl" "$out/$name.jsonl" 2> /dev/null || tail -n 3 "$out/$name.log"
}

"$python" -c 'import json; from experiments.commands.bench import machine; print(json.dumps(machine()))' |
  tee "$out/machine.json"
many="--batch-size $environments --learning-rate 1e-3"
run zipf1-byol_explore 100 --env zipf/gridworld-symbolic --env-args exponent=1.0 --seeds 3 $many
part bench-symbolic 90 bench --env zipf/gridworld-symbolic --batch-size $environments --rounds 5 --json
run zipf1-none 70 --env zipf/gridworld-symbolic --env-args exponent=1.0 --seeds 3 $many --bonus none
run keycorridor-byol_explore 90 --env xminigrid/KeyCorridorS3R3 --seeds 3 $many
run deep_sea30-byol_explore 70 --env deep_sea --env-args size=30 --seeds 3 $many
run deep_sea30-none 50 --env deep_sea --env-args size=30 --seeds 3 $many --bonus none
run montezuma-rnd 80 --env atari/montezuma_revenge --bonus rnd --objective ppo --torso conv \
  --latent-size 256 --core-size 256 --batch-size $((environments / 2)) --actors 2 --eval-rows 1000 \
  --log-updates 2
# Last, as its program takes more than a minute to compile.
run craftax-rnd 120 --env craftax/classic --bonus rnd --objective ppo --batch-size $environments \
  --eval-rows 1000
rm -rf "$runs"
