#!/usr/bin/env bash
# Start SCRIPT on GPUS processes of this machine with torchrun.
#
# usage: tools/torchrun.sh SCRIPT GPUS [ARGS of SCRIPT ...]
#
# Several machines: set NNODES, NODE_RANK, MASTER_ADDR and PORT. PYTHON chooses the interpreter;
# without it the one on the PATH serves if it has mmengine, else that of .venv.
set -euo pipefail
SCRIPT=$1 GPUS=$2
shift 2
ROOT=$(cd "$(dirname "$0")/.." && pwd)

for candidate in ${PYTHON:-python "$ROOT/.venv/bin/python" python3}; do
    if "$candidate" -c 'import importlib.util as u, sys; sys.exit(not u.find_spec("mmengine"))' \
        2>/dev/null; then
        python=$candidate
        break
    fi
done
if [ -z "${python:-}" ]; then
    echo "error: no Python with mmengine found; run 'make env' or activate your environment" >&2
    exit 2
fi
# one machine: any free port, so that two runs do not meet
PORT=${PORT:-$([ "${NNODES:-1}" = 1 ] && echo $((20000 + RANDOM % 20000)) || echo 29500)}
PYTHONPATH="$ROOT${PYTHONPATH:+:$PYTHONPATH}" exec "$python" -m torch.distributed.run \
    --nnodes="${NNODES:-1}" --node_rank="${NODE_RANK:-0}" --nproc_per_node="$GPUS" \
    --master_addr="${MASTER_ADDR:-127.0.0.1}" --master_port="$PORT" "$SCRIPT" "$@"
