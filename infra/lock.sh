#!/usr/bin/env bash
# Resolve the newest versions that pyproject.toml allows in a fresh environment and pin them.
# The result names no index: it is a constraints file for pip, not a list of addresses.
set -euo pipefail
target=${1:?usage: infra/lock.sh CONSTRAINTS_FILE}
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
python3 -m venv "$scratch/venv"
"$scratch/venv/bin/python" -m pip install --quiet --disable-pip-version-check "torch==${TORCH_VERSION:-2.13.0}"
"$scratch/venv/bin/python" -m pip install --quiet --disable-pip-version-check '.[api,worker,tokenizer,local,train,dev]'
{
    echo "# Exact versions for every environment of this project; written by \`make lock\`."
    # A local version label (+cpu) would exclude the builds for other machines.
    "$scratch/venv/bin/python" -m pip freeze --exclude luminary | grep -v '@' | sed 's/+cpu$//'
} >"$target"
