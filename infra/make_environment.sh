#!/bin/sh
# Create or repair the virtual environment, and install the project with all its dependencies.
# usage: infra/make_environment.sh FOLDER [PYTHON]
# Errors are one line on standard error; requirements are checked before anything is created.
set -u
folder=${1:?usage: infra/make_environment.sh FOLDER [PYTHON]}
wanted=${2:-}
log=$folder/install.log

fail() {
    echo "luminary: $*" >&2
    exit 1
}

# newest first; `python3` and `python` last, because their version is not known
find_python() {
    for candidate in ${wanted:-python3.14 python3.13 python3.12 python3.11 python3 python}; do
        is_new_enough "$candidate" && command -v "$candidate" && return
    done
}

is_new_enough() {
    "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1
}

# false if the environment's Python is missing or too old, or if its creation ended before pip was installed
is_whole() {
    is_new_enough "$folder/bin/python" && "$folder/bin/python" -c 'import pip' >/dev/null 2>&1
}

if ! is_whole; then
    python=$(find_python)
    [ -n "$python" ] || fail "Python 3.11 or newer is needed; ${wanted:-every Python on PATH} is older or" \
        "missing: install one, or choose one with make PYTHON=/path/to/python"
    "$python" -c 'import venv, ensurepip' >/dev/null 2>&1 ||
        fail "$python comes without venv; on Debian or Ubuntu: apt install $(basename "$python")-venv"
    if [ -e "$folder" ]; then
        [ -e "$folder/pyvenv.cfg" ] || [ -d "$folder/bin" ] || [ -z "$(ls -A "$folder")" ] ||
            fail "$folder is not a Python environment: choose another with make VENV=FOLDER"
        echo "luminary: the environment in $folder is incomplete; creating it again"
        rm -rf "$folder"
    fi
    "$python" -m venv "$folder" || fail "the environment could not be created in $folder"
fi

pip() {
    "$folder/bin/python" -m pip --disable-pip-version-check "$@" >"$log" 2>&1
}

# try one small package first: without a network pip would otherwise try every package in turn
small=$(grep '^click==' constraints.txt)
pip --retries 0 --timeout 15 install --quiet --dry-run --no-deps --ignore-installed "$small" ||
    fail "the package index cannot be reached: check the network, or pip's proxy and index settings ($log)"

echo "luminary: installing into $folder: 2.3 GB, most of it torch; about 100 s with a fast network"
if ! pip install --quiet --constraint constraints.txt --editable '.[api,worker,tokenizer,local,train,dev]'; then
    tail -n 15 "$log" >&2
    fail "the packages could not be installed; the lines above are the last of $log"
fi
