#!/usr/bin/env bash
# Train CONFIG on a Slurm cluster. GPUs, cores and options of srun: see tools/srun.sh.
set -euo pipefail
if [ $# -lt 3 ]; then
    echo "usage: $0 PARTITION JOB_NAME CONFIG [ARGS of tools/train.py ...]" >&2
    exit 2
fi
TOOLS=$(dirname "$0")
exec "$TOOLS/srun.sh" "$TOOLS/train.py" "$@"
