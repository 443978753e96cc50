#!/usr/bin/env bash
# Install the newest versions that pyproject.toml allows in a fresh environment and write them as pins.
# The result is a constraints file for pip, without index addresses.
set -euo pipefail
target=${1:?usage: infra/lock.sh CONSTRAINTS_FILE}
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
python3 -m venv "$scratch/venv"
"$scratch/venv/bin/python" -m pip install --quiet --disable-pip-version-check "torch==${TORCH_VERSION:-2.13.0}"
"$scratch/venv/bin/python" -m pip install --quiet --disable-pip-version-check '.[api,worker,tokenizer,local,train,dev,kubernetes]'
{
    echo "# Exact versions for every environment of this project; written by \`make lock\`."
    # A local version label (+cpu) would exclude builds for other hardware.
    # --all: torch requires setuptools, which pip would leave out; pip itself is not part of an environment
    "$scratch/venv/bin/python" -m pip freeze --all --exclude luminary --exclude pip | grep -v '@' | sed 's/+cpu$//'
} >"$target"
