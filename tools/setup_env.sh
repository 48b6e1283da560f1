#!/usr/bin/env bash
# Create the virtual environment .venv beside this checkout and install the project into it.
#
# usage: tools/setup_env.sh [VENV]
#
# Does nothing when VENV is already complete for the present setup.cfg; finishes an
# installation that was interrupted. PYTHON chooses the interpreter (3.10 to 3.13); pip's own
# variables (PIP_INDEX_URL, ...) are honoured. WITHOUT_DECORD=1 leaves decord out. Exit code 1 with one sentence when it cannot go on.
set -uo pipefail
cd "$(dirname "$0")/.."
VENV=${1:-.venv}
NEEDED_GB=${NEEDED_GB:-9}

fail() { echo "error: $*" >&2; exit 1; }

find_python() {
    local candidate
    for candidate in ${PYTHON:-python3.11 python3.12 python3.13 python3.10 python3}; do
        "$candidate" -c 'import sys; sys.exit(not (3, 10) <= sys.version_info[:2] <= (3, 13))' \
            2>/dev/null && { echo "$candidate"; return; }
    done
    return 1
}

# Debian's Python comes without pip and without the part of venv that brings it. Their package
# with pip's wheel is fetched and unpacked into a temporary folder: no root, nothing is installed.
make_venv_with_apt() {
    command -v apt-get dpkg >/dev/null || return 1
    local folder apt
    folder=$(mktemp -d)
    mkdir -p "$folder/lists/partial" "$folder/cache/archives/partial"
    apt="apt-get -qq -o Dir::State::Lists=$folder/lists -o Dir::Cache=$folder/cache"
    (cd "$folder" && $apt update && $apt download python3-pip-whl && dpkg -x ./*.deb .) \
        >"$folder/log" 2>&1
    "$1" -m venv --without-pip "$VENV" &&
        PYTHONPATH=$(echo "$folder"/usr/share/python-wheels/pip-*.whl) \
            "$VENV/bin/python" -m pip install -q pip >>"$folder/log" 2>&1
    local status=$?
    rm -rf "$folder"
    return $status
}

# Leaves alone whatever this script did not make.
make_venv() {
    if [ -e "$VENV" ] && [ ! -f "$VENV/pyvenv.cfg" ] && [ -n "$(ls -A "$VENV")" ]; then
        fail "$VENV exists and is no virtual environment; remove it or set VENV"
    fi
    "$1" -m venv "$VENV" >/dev/null 2>&1 && return
    rm -rf "$VENV"
    "$1" -m virtualenv -q "$VENV" >/dev/null 2>&1 && return
    command -v uv >/dev/null && uv venv -q --seed --python "$1" "$VENV" && return
    make_venv_with_apt "$1" && return
    rm -rf "$VENV"
    local version
    version=$("$1" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
    fail "Python $version cannot make virtual environments; on Debian and Ubuntu run:" \
         "sudo apt-get install python$version-venv"
}

explain_pip() {
    local log=$1
    if grep -q "No space left" "$log"; then
        fail "the disk filled up while installing into $VENV; the log is $log"
    elif grep -qE "error: command '.*(gcc|cc|g\+\+|clang)|unable to execute|No such file.*gcc" "$log"; then
        fail "a package had to be compiled and there is no compiler; on Debian and Ubuntu run:" \
             "sudo apt-get install build-essential python3-dev (log: $log)"
    elif grep -qE "NewConnectionError|name resolution|Max retries|Network is unreachable|timed out|No matching distribution" "$log"; then
        fail "the package index cannot be reached or lacks a package; check the network and" \
             "PIP_INDEX_URL, then run the same command again (log: $log)"
    fi
    fail "pip could not install the project; the log is $log"
}

# mmaction2's wheel asks for decord, which nothing here imports and which is built for x86-64
# alone. Elsewhere, or with WITHOUT_DECORD=1, pip gets all that the two ask for but that.
install_project() {
    local pip="$VENV/bin/python -m pip install"
    if [ "$(uname -m)" = x86_64 ] && [ -z "${WITHOUT_DECORD:-}" ]; then
        $pip -e '.[test,lint]'
        return
    fi
    "$VENV/bin/python" - >"$VENV/requirements.txt" <<'REQUIREMENTS' || return
from configparser import ConfigParser
setup = ConfigParser()
setup.read('setup.cfg')
extras = setup['options.extras_require']
asked = '\n'.join((setup['options']['install_requires'], extras['test'], extras['lint']))
print(*(line for line in asked.splitlines() if not line.startswith('mmaction2')), sep='\n')
# what mmaction2 asks for beside
print('einops', 'opencv-contrib-python', sep='\n')
REQUIREMENTS
    $pip -r "$VENV/requirements.txt" &&
        $pip --no-deps "$(sed -n 's/^ *\(mmaction2[>=].*\)/\1/p' setup.cfg)" &&
        $pip --no-deps -e .
}

# OpenCV's desktop build needs libGL; a bare machine gets the headless build instead.
ensure_opencv() {
    "$VENV/bin/python" -c 'import cv2' 2>/dev/null && return
    local version
    version=$("$VENV/bin/python" -m pip show opencv-contrib-python | sed -n 's/^Version: //p')
    "$VENV/bin/python" -m pip install --quiet --force-reinstall --no-deps \
        "opencv-contrib-python-headless==$version" >>"$LOG" 2>&1
    "$VENV/bin/python" -c 'import cv2' 2>>"$LOG" ||
        fail "OpenCV cannot be imported; on Debian and Ubuntu run:" \
             "sudo apt-get install libgl1 libglib2.0-0 (log: $LOG)"
}

# An environment has one checkout installed: a link must not take another one's from it.
owner=$(dirname "$(readlink -f "$VENV")")
[ ! -L "$VENV" ] || [ ! -f "$owner/tools/setup_env.sh" ] ||
    fail "$VENV is a link to the environment of $owner, which would lose it; remove the link, or" \
         "run without make, with PYTHONPATH=$(pwd) and that environment's Python"

# Two make commands at once take turns.
mkdir -p "$(dirname "$VENV")" 2>/dev/null || fail "$(dirname "$VENV") cannot be made"
exec 9>"$VENV.lock" || fail "$(dirname "$VENV") cannot be written"
flock 9

# The stamp holds a checksum of all that decides what gets installed, and where.
STATE=$(cat setup.cfg pyproject.toml <(pwd) | cksum)
STAMP=$VENV/.installed
LOG=$VENV/install.log
[ "$(cat "$STAMP" 2>/dev/null)" = "$STATE" ] && exit 0

if ! "$VENV/bin/python" -m pip --version >/dev/null 2>&1; then
    PYTHON_FOUND=$(find_python) || fail "no Python from 3.10 to 3.13 found; install one or set PYTHON"
    free_gb=$(($(df -Pk "$(dirname "$VENV")" | awk 'NR==2 {print $4}') / 1048576))
    [ "$free_gb" -ge "$NEEDED_GB" ] ||
        fail "installing needs about $NEEDED_GB GB and $(cd "$(dirname "$VENV")" && pwd) has" \
             "$free_gb GB free (torch alone takes most of it)"
    echo "Creating $VENV with $PYTHON_FOUND ..."
    make_venv "$PYTHON_FOUND"
fi
echo "Installing the project into $VENV (a few minutes, several GB the first time) ..."
install_project 2>&1 | tee "$LOG" |
    grep --line-buffered -E "^(Collecting|Downloading|Installing|Building|ERROR)|^  Downloading" |
    cut -c1-100
[ "${PIPESTATUS[0]}" = 0 ] || explain_pip "$LOG"
ensure_opencv
"$VENV/bin/python" -c 'import mmaction_ext, torch, mmaction, pytest, hypothesis, wandb, av' \
    >>"$LOG" 2>&1 || fail "the installed packages cannot be imported; the log is $LOG"
echo "$STATE" >"$STAMP"
echo "Installed."
