#!/usr/bin/env bash
# Start SCRIPT on GPUS processes of this machine, see `mmaction-ext train --help`.
#
# usage: tools/torchrun.sh SCRIPT GPUS [ARGS of SCRIPT ...]
#
# Which Python: see tools/find_python.sh.
set -euo pipefail
SCRIPT=$1 GPUS=$2
shift 2
. "$(dirname "$0")/find_python.sh"
exec "$python" "$SCRIPT" "$@" --gpus "$GPUS"
