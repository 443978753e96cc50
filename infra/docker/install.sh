#!/bin/sh
# Make an image's files in two steps, so that a change of the sources leaves the layer of the packages as it is:
#   install.sh packages EXTRAS   the locked packages in /opt/luminary
#   install.sh project           the project in /opt/app, and the list of all packages (CycloneDX)
#   install.sh finish            equal times and permissions, after everything else
# VARIANT is cpu or cuda; SOURCE_DATE_EPOCH is the time that all files get.
set -eu
python=/opt/luminary/bin/python
export PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1 PIP_CONSTRAINT="$PWD/constraints.txt"

# pip stays in /tools, in the stage that is thrown away
into() {
    /tools/bin/pip --python "$python" install --quiet --no-compile "$@"
}

# ahead of time, because the image's file system is read-only; by hash, so that no file contains a time
compile() {
    # some packages bring files for newer versions of Python, which do not compile and are not imported
    "$python" -m compileall -q -j 0 --invalidation-mode unchecked-hash "$@" >&2 || true
}

packages() {
    python3 -m venv /tools
    /tools/bin/pip install --quiet cyclonedx-bom
    python3 -m venv --without-pip /opt/luminary
    python3 infra/docker/requirements.py "$1" >/tmp/requirements.txt
    # the usual index has torch for CUDA; its builds for CPUs, called 2.13.0+cpu, stand in an index of their own
    if [ "${VARIANT:-cpu}" = cpu ] && [ -n "${TORCH_INDEX:-}" ]; then
        into --extra-index-url "$TORCH_INDEX" --requirement /tmp/requirements.txt
    else
        into --requirement /tmp/requirements.txt
    fi
    site=$("$python" -c 'import sysconfig; print(sysconfig.get_path("purelib"))')
    # descriptions of all services of AWS but the bucket's and those that give out its credentials: 27 MB
    if [ -d "$site/botocore" ]; then
        find "$site/botocore/data" -mindepth 1 -maxdepth 1 -type d \
            ! -name s3 ! -name sts ! -name 'sso*' ! -name signin -exec rm -r {} +
    fi
    # the tests of numpy: 15 MB
    find "$site/numpy" -type d -name tests -prune -exec rm -r {} +
    # headers, test programs and code for other hardware: 190 MB of torch and 125 MB of bitsandbytes
    rm -rf "$site/torch/include" "$site/torch/test"
    find "$site" -path '*/torch/bin/*' ! -name torch_shm_manager -delete
    if [ "${VARIANT:-cpu}" = cpu ]; then
        find "$site" -path '*/bitsandbytes/*.so' ! -name libbitsandbytes_cpu.so -delete
    fi
    compile "$site"
    finish /opt/luminary
}

project() {
    into --no-deps --target /opt/app .
    compile /opt/app
    /tools/bin/cyclonedx-py environment --output-reproducible --pyproject pyproject.toml --output-format JSON \
        --output-file /opt/app/sbom.cdx.json "$python"
}

finish() {
    chmod -R u+rwX,go+rX,go-w "$1"
    find "$1" -exec touch --no-dereference --date="@${SOURCE_DATE_EPOCH:?}" {} +
}

case $1 in
packages) packages "$2" ;;
project) project ;;
finish) finish /opt/app ;;
esac
