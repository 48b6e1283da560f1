#!/usr/bin/env bash
# Train CONFIG on GPUS processes of this machine: one per GPU, or on the CPU (gloo) where there
# is none. Several machines, interpreter, port: see tools/torchrun.sh.
set -euo pipefail
if [ $# -lt 2 ]; then
    echo "usage: $0 CONFIG GPUS [ARGS of tools/train.py ...]" >&2
    exit 2
fi
TOOLS=$(dirname "$0")
exec "$TOOLS/torchrun.sh" "$TOOLS/train.py" "$2" "$1" "${@:3}"
