"""The images are small and have no compilers, and run as a user on a read-only file system."""

import json
import re
from collections.abc import Callable

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

from tests.support.containers.engine import Engine
from tests.support.containers.images import FOR_OLD_PYTHON, Images
from tests.support.source_tree import ROOT

COMPILERS = ("cc", "gcc", "g++", "clang", "tcc", "ld", "as", "make", "rustc", "go", "nvcc", "cmake")
LIMITS = {"gateway": 250.0, "worker": 1500.0, "tokenizer": 1500.0}
"""Most megabytes of an image: the gateway's over its base, the others' in all."""
WRITE = """
import pathlib, sys
for place in ("/", "/opt/app", "/opt/luminary", "/etc", "/usr/bin"):
    try:
        (pathlib.Path(place) / "written").touch()
    except OSError:
        continue
    sys.exit(f"{place} can be written")
"""
WHO = "import os; print(os.getuid(), os.getgid(), os.path.exists('/opt/app/torch'))"
STATUS = "print(open('/proc/self/status').read())"

pytestmark = pytest.mark.timeout(1800)


def test_an_image_runs_as_its_own_user_without_capabilities(engine: Engine, image: str) -> None:
    assert engine.run(image, "python", "-c", WHO).split()[:2] == ["10001", "10001"]
    status = engine.run(image, "python", "-c", STATUS)
    assert re.search(r"^CapEff:\s+0+$", status, re.MULTILINE), status
    assert re.search(r"^NoNewPrivs:\s+1$", status, re.MULTILINE), status


def test_nothing_in_an_image_can_be_written(engine: Engine, image: str) -> None:
    """The file system is read-only; and its owner is another user, should it not be."""
    engine.run(image, "python", "-c", WRITE)
    engine.podman("run", "--rm", "--no-healthcheck", "--network=none", image, "python", "-c", WRITE)


def test_an_image_has_neither_a_compiler_nor_pip(engine: Engine, image: str) -> None:
    script = f"import shutil; print([n for n in {COMPILERS!r} if shutil.which(n)])"
    assert engine.run(image, "python", "-c", script) == "[]"
    assert (
        engine.run(image, "python", "-c", "import importlib.util as u; print(u.find_spec('pip'))") == "None"
    )


@pytest.mark.parametrize("name", LIMITS)
def test_an_image_is_small(images: Images, built: Callable[[str], str], name: str) -> None:
    image = built(name)
    size = images.engine.inspect(image)["Size"] / 1e6
    over = images.megabytes_over_base(image)
    print(f"{name}: {size:.0f} MB, {over:.0f} MB over its base")
    assert (over if name == "gateway" else size) <= LIMITS[name]


def test_the_gateway_has_no_torch(engine: Engine, built: Callable[[str], str]) -> None:
    script = "import importlib.util as u; print([u.find_spec(n) for n in ('torch', 'numba', 'bitsandbytes')])"
    assert engine.run(built("gateway"), "python", "-c", script) == "[None, None, None]"


def test_an_image_lists_its_packages_and_all_of_them_are_locked(engine: Engine, image: str) -> None:
    text = engine.run(image, "cat", "/opt/app/sbom.cdx.json")
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(text) is None
    components = json.loads(text)["components"]
    found = {f"{canonical(each['name'])}=={each['version'].partition('+')[0]}" for each in components}
    pins = (line.strip() for line in (ROOT / "constraints.txt").read_text().splitlines())
    locked = {f"{canonical(pin.partition('==')[0])}=={pin.partition('==')[2]}" for pin in pins}
    assert found
    missing = {name for name in found - locked if not name.startswith(FOR_OLD_PYTHON)}
    assert not missing


def canonical(name: str) -> str:
    """A package's name as indexes compare it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def test_an_image_says_what_it_is_and_asks_for_readiness(engine: Engine, image: str) -> None:
    found = engine.inspect(image)
    labels = found["Config"]["Labels"]
    assert labels["org.opencontainers.image.licenses"] == "Apache-2.0"
    assert labels["org.opencontainers.image.title"] in image
    assert "infra.containers.ready" in found["Healthcheck"]["Test"]


@pytest.mark.parametrize("name", ["gateway", "tokenizer"])
def test_a_second_build_has_the_same_layers(images: Images, built: Callable[[str], str], name: str) -> None:
    first = images.layers(built(name))
    assert images.layers(images.build(name, tag="again", again=True)) == first


LOAD = """
import os, time
from pathlib import Path
from services.worker.__main__ import copy_compiled_code
copy_compiled_code(os.environ)
from services.worker.engine.fused.run.passes import run_pass
from services.worker.engine.fused.run.tile_kernel import run_product
from services.worker.engine.kernels.precision import Precision
from services.worker.engine.loading.load import load_model
started = time.perf_counter()
for name in ("fp32", "bf16+int8"):
    load_model(Path("models/tiny"), Precision.from_name(name), fused=True)
seconds = time.perf_counter() - started
found = [(sum(each.stats.cache_hits.values()), sum(each.stats.cache_misses.values()))
         for each in (run_pass, run_product)]
print(*found, f"{seconds:.1f} s")
"""


def test_the_first_start_of_a_worker_compiles_nothing(engine: Engine, built: Callable[[str], str]) -> None:
    """On the CPU that built the image; another one compiles once, into NUMBA_CACHE_DIR."""
    said = engine.run(built("worker"), "python", "-c", LOAD, options=("--tmpfs=/tmp",))
    print(said)
    assert said.startswith("(1, 0) (1, 0) "), said
