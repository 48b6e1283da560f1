#!/usr/bin/env bash
# Start SCRIPT on GPUS tasks of Slurm, one for each GPU, with one srun that lasts as long as they do.
#
# usage: tools/srun.sh SCRIPT PARTITION JOB_NAME [ARGS of SCRIPT ...]
#
#   GPUS           tasks                                                       (default: 8)
#   GPUS_PER_NODE  GPUs, and tasks, of each node; 0 for tasks without a GPU, which meet over gloo
#                                                                (default: GPUS, and at most 8)
#   CPUS_PER_TASK  CPU cores of each task                                      (default: 5)
#   SRUN_ARGS      more options of srun, e.g. "--time=8:00:00 --comment='two words'"
#   PY_ARGS        more arguments of SCRIPT; both are split into words as by a shell, and no more
#
# Which Python: see tools/find_python.sh.
set -euo pipefail
SCRIPT=$1 PARTITION=$2 JOB_NAME=$3
shift 3
GPUS=${GPUS:-8}
GPUS_PER_NODE=${GPUS_PER_NODE:-$((GPUS < 8 ? GPUS : 8))}
# the interpreter is looked for here, and is on the nodes what it is here
. "$(dirname "$0")/find_python.sh"

words() { xargs -r printf '%s\0' <<<"$1"; }
mapfile -d '' -t srun_args < <(words "${SRUN_ARGS:-}")
mapfile -d '' -t py_args < <(words "${PY_ARGS:-}")

gpus=()
if [ "$GPUS_PER_NODE" -gt 0 ]; then
    gpus=(--gres="gpu:$GPUS_PER_NODE" --ntasks-per-node="$GPUS_PER_NODE")
fi
exec srun --partition="$PARTITION" --job-name="$JOB_NAME" --ntasks="$GPUS" "${gpus[@]}" \
    --cpus-per-task="${CPUS_PER_TASK:-5}" --kill-on-bad-exit=1 "${srun_args[@]}" \
    "$python" -u "$SCRIPT" "$@" "${py_args[@]}" --launcher slurm
