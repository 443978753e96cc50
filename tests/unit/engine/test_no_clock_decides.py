"""The modules that decide the bits of a picture do not import timing functions, even indirectly."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
DECIDING = (
    "services.worker.engine.loading.auto_precision",
    "services.worker.engine.loading.numerics",
    "services.worker.engine.kernels.acceleration",
    "services.worker.engine.model.flash_attention",
    "services.worker.engine.deciding",
    "services.worker.engine.header",
    "services.worker.engine.layout.sequence_plan",
    "services.worker.engine.fused.run.decoder",
    "services.worker.engine.fused.run.tile_kernel",
    "services.worker.engine.fused.support",
    "services.tokenizer.movqgan",
    "services.tokenizer.image_codec",
    "services.tokenizer.fingerprint",
)
"""Modules that decide precision, device, kernels, tiles, scores, tokens and pixels."""
CLOCKS = {"time", "timeit", "datetime", "sched", "torch.utils.benchmark", "torch.profiler", "cProfile"}
COMPOSING = {"services.worker.engine.loading.load"}
"""Combines kernels with their times, which only the choice of drafts and prompt rows uses."""
TIMING = {
    "services.worker.engine.engine",
    "services.worker.engine.kernels.self_check",
    "services.worker.engine.fused.self_check",
}
"""The engine's modules that read a clock; their measurements go to `StepCosts`."""
READERS_OF_COSTS = {
    "engine",
    "loading.load",
    "prefill_pace",
    "scheduler",
    "window",
    "kernels.self_check",
    "fused.loading",
    "fused.self_check",
}


def source_of(module: str) -> Path | None:
    """The file of a module of this repository, else None."""
    path = ROOT / Path(*module.split("."))
    return next((file for file in (path.with_suffix(".py"), path / "__init__.py") if file.is_file()), None)


def imports_of(module: str) -> Iterator[str]:
    """Every module that this one imports, at the top or inside a function, except only for types."""
    source = source_of(module)
    assert source is not None, module
    tree = ast.parse(source.read_text(encoding="utf-8"))
    for_types = [
        inner
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)
        for inner in ast.walk(node)
    ]
    for node in ast.walk(tree):
        if node in for_types:
            continue
        match node:
            case ast.Import(names=names):
                yield from (name.name for name in names)
            case ast.ImportFrom(module=str(origin), names=names):
                yield origin
                yield from (f"{origin}.{name.name}" for name in names)
            case _:
                pass


def reachable(module: str) -> set[str]:
    """The module and all modules that it imports, directly or not; imports of COMPOSING are not followed."""
    seen: set[str] = set()
    waiting = [module]
    while waiting:
        name = waiting.pop()
        if name in seen:
            continue
        seen.add(name)
        if source_of(name) is not None and name not in COMPOSING:
            waiting += imports_of(name)
    return seen


@pytest.mark.parametrize("module", DECIDING)
def test_modules_that_decide_bits_import_no_clock(module: str):
    """Regression: the choice of the precision measured the time of two products."""
    assert not {name for name in reachable(module) if name in CLOCKS or name.partition(".")[0] in CLOCKS}


def engine_modules() -> list[str]:
    """All modules of the engine."""
    folder = ROOT / "services/worker/engine"
    return [
        ".".join(file.relative_to(ROOT).with_suffix("").parts)
        for file in folder.rglob("*.py")
        if file.name != "__init__.py"
    ]


def test_only_named_modules_of_the_engine_read_a_clock():
    assert {name for name in engine_modules() if CLOCKS & set(imports_of(name))} == TIMING


def names_in(module: str) -> set[str]:
    """All names and attributes in the module's code."""
    source = source_of(module)
    assert source is not None
    return {
        node.id if isinstance(node, ast.Name) else node.attr
        for node in ast.walk(ast.parse(source.read_text(encoding="utf-8")))
        if isinstance(node, ast.Name | ast.Attribute)
    }


def test_only_windows_and_prefill_pace_read_times():
    times = {"pass_seconds", "StepCosts", "step_costs"}
    readers = {name for name in engine_modules() if names_in(name) & times}
    assert {name.removeprefix("services.worker.engine.") for name in readers} <= READERS_OF_COSTS
