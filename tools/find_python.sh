# Sets `python` to an interpreter that has mmengine, ROOT to this checkout, and has it import from
# there. PYTHON chooses one; without it the one on the PATH serves if it has it, else that of .venv.
ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
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
export PYTHONPATH="$ROOT${PYTHONPATH:+:$PYTHONPATH}"
