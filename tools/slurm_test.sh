#!/usr/bin/env bash
# Evaluate CHECKPOINT of CONFIG on a Slurm cluster. GPUs, cores and options of srun: see
# tools/srun.sh.
set -euo pipefail
if [ $# -lt 4 ]; then
    echo "usage: $0 PARTITION JOB_NAME CONFIG CHECKPOINT [ARGS of tools/test.py ...]" >&2
    exit 2
fi
TOOLS=$(dirname "$0")
exec "$TOOLS/srun.sh" "$TOOLS/test.py" "$@"
