#!/usr/bin/env bash
# Everything there is to measure on a GPU: correctness first, then operators and memory, then the
# roofline. Under eight minutes; the tables hold device, versions and commit, so they can be sent.
#
#   tools/benchmarks/gpu.sh [FOLDER]             default folder: reports/benchmarks/gpu
#   tools/benchmarks/gpu.sh --dry-run [FOLDER]   the same steps at tiny sizes without a GPU: kernels
#                                                run in Triton's interpreter, times mean nothing
# PYTHON names the interpreter (default: .venv/bin/python, or python3).
set -euo pipefail
cd "$(dirname "$0")/../.."
export PYTHONPATH=$PWD${PYTHONPATH:+:$PYTHONPATH}
python=${PYTHON:-.venv/bin/python}
[ -x "$python" ] || python=${PYTHON:-python3}

dry=
if [ "${1-}" = --dry-run ]; then dry=1; shift; fi
folder=${1:-reports/benchmarks/gpu}

if [ -n "$dry" ]; then
    export TRITON_INTERPRET=1
    folder=${1:-$(mktemp -d)}
    options=(--tiny --device cpu --sizes x3d_10_L1 k4_per_frame)
    timing=(--rounds 1 --implementations triton auto unfold masks) memory=(--implementations auto)
else
    if ! "$python" -c 'import sys, torch; sys.exit(not torch.cuda.is_available())'; then
        echo "gpu.sh: torch finds no GPU here; --dry-run goes through the steps without one" >&2
        exit 2
    fi
    options=(--device cuda) memory=()
    timing=(--rounds 25 --seconds 1 --dtypes float32 bfloat16 float16)
fi

bench=tools/benchmarks
"$python" $bench/operators.py "${options[@]}" "${timing[@]}" --output "$folder/operators.csv"
"$python" $bench/memory.py "${options[@]}" "${memory[@]}" --output "$folder/memory.csv"
"$python" $bench/summary.py "$folder/operators.csv" --figure roofline | tee "$folder/operators.md"
echo "measured: $folder/operators.csv, memory.csv, operators.md, operators.svg"
