#!/usr/bin/env bash
# Evaluate CHECKPOINT of CONFIG on GPUS processes of this machine: GPUs, or the CPU (gloo). Several machines, interpreter, port: see tools/torchrun.sh.
set -euo pipefail
if [ $# -lt 3 ]; then
    echo "usage: $0 CONFIG CHECKPOINT GPUS [ARGS of tools/test.py ...]" >&2
    exit 2
fi
TOOLS=$(dirname "$0")
exec "$TOOLS/torchrun.sh" "$TOOLS/test.py" "$3" "$1" "$2" "${@:4}"
