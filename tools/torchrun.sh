#!/usr/bin/env bash
# Start SCRIPT on GPUS processes of this machine, see `mmaction-ext train --help`.
#
# usage: tools/torchrun.sh SCRIPT GPUS [ARGS of SCRIPT ...]
#
# PYTHON chooses the interpreter; without it the one on the PATH serves if it has mmengine, else
# that of .venv.
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
PYTHONPATH="$ROOT${PYTHONPATH:+:$PYTHONPATH}" exec "$python" "$SCRIPT" "$@" --gpus "$GPUS"
