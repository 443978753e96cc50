"""Rules of this house that no general linter knows. ARCHITECTURE.md names each."""

import ast
import builtins
import re
import statistics
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

from tests.support.source_tree import ROOT, tracked_files

SOURCE_FOLDERS = ("services", "shared", "luminary", "training", "infra", "benchmarks")
MEDIAN_LINES, NINETIETH_PERCENTILE, MOST_LINES = 150, 350, 500
FOREIGN_WORDS = re.compile(
    r"/(?:work|farm|root)/|pypi\.org|deb\.debian\.org|registry\.npmjs|files\.pythonhosted"
)


def source_files() -> list[Path]:
    return [file for file in tracked_files(".py") if file.relative_to(ROOT).parts[0] in SOURCE_FOLDERS]


def calls(file: Path) -> Iterator[ast.Call]:
    tree = ast.parse(file.read_text(encoding="utf-8"))
    return (node for node in ast.walk(tree) if isinstance(node, ast.Call))


def test_files_stay_small_enough_to_read_at_once() -> None:
    lengths = {
        file.relative_to(ROOT): len(file.read_text(encoding="utf-8").splitlines())
        for file in tracked_files(".py")
        if "versions" not in file.parts and file.stat().st_size
    }
    ordered = sorted(lengths.values())
    median, percentile = statistics.median(ordered), ordered[len(ordered) * 9 // 10]
    longest = sorted(lengths, key=lambda file: -lengths[file])[:10]
    table = "\n".join(f"{lengths[file]:6} {file}" for file in longest)
    print(f"{len(lengths)} files, median {median}, ninetieth percentile {percentile}, longest:\n{table}")
    assert median <= MEDIAN_LINES, table
    assert percentile <= NINETIETH_PERCENTILE, table
    assert ordered[-1] <= MOST_LINES, table


def test_no_file_names_a_machine_path_or_a_package_registry() -> None:
    guilty = [
        f"{file.relative_to(ROOT)}: {line.strip()[:80]}"
        for file in tracked_files(".py", ".md", ".toml", ".txt", ".yml", ".yaml", ".sh", "Makefile")
        if file != Path(__file__)
        for line in file.read_text(encoding="utf-8").splitlines()
        if FOREIGN_WORDS.search(line)
    ]
    assert not guilty, "\n".join(guilty)


ERROR_BASE = "LuminaryError"
ERROR_BASE_FILE = ROOT / "shared" / "errors.py"
NO_USER_MEETS = {
    "LeaseLostError": "ends an attempt whose job another worker has",
    "AttemptStoppedError": "ends an attempt that is to drain or whose job is canceled",
    "LeftToOthersError": "ends the work on a late picture when the worker stops",
    "BatchLostError": "ends a step of a batch that another gateway has taken over",
    "RestoreStoppedError": "ends a restore when the io worker stops, or another one has taken it",
    "NotShownError": "drops a partial picture whose drawing has ended",
    "CheckpointFormatError": "the attempt draws from the start instead",
    "StopRequested": "SIGINT or SIGTERM in the supervisor's main thread",
}
"""Exceptions for control flow, each caught by the code that knows what to do next."""


def exception_classes() -> list[ast.ClassDef]:
    """Public exception classes of the source folders, the base left out."""
    waiting = [
        node
        for file in source_files()
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
        if isinstance(node, ast.ClassDef) and not node.name.startswith("_") and node.name != ERROR_BASE
    ]
    kinds = {name: kind for name, kind in vars(builtins).items() if isinstance(kind, type)}
    known = {name for name, kind in kinds.items() if issubclass(kind, BaseException)} | {ERROR_BASE}
    found: list[ast.ClassDef] = []
    while new := [node for node in waiting if base_names(node) & known]:
        found += new
        known |= {node.name for node in new}
        waiting = [node for node in waiting if node not in new]
    return found


def base_names(node: ast.ClassDef) -> set[str]:
    return {ast.unparse(base).rpartition(".")[2] for base in node.bases}


def facts_set_by(node: ast.ClassDef) -> set[str]:
    """Names that a class sets in its body, or on the object."""
    in_body = {
        target.id
        for item in node.body
        if isinstance(item, ast.Assign)
        for target in item.targets
        if isinstance(target, ast.Name)
    }
    on_object = {
        item.attr
        for item in ast.walk(node)
        if isinstance(item, ast.Attribute) and isinstance(item.ctx, ast.Store)
    }
    return in_body | on_object


def test_every_error_that_a_user_can_meet_says_its_code_and_what_mends_it() -> None:
    found = exception_classes()
    gone = NO_USER_MEETS.keys() - {node.name for node in found}
    assert not gone, f"these exceptions are no more; take them out of this list: {gone}"
    with_hint = {ERROR_BASE: False}
    waiting = [node for node in found if node.name not in NO_USER_MEETS]
    while ready := [node for node in waiting if base_names(node) & with_hint.keys()]:
        for node in ready:
            facts = facts_set_by(node)
            hint = "hint" in facts or any(with_hint.get(base, False) for base in base_names(node))
            assert "code" in facts, f"{node.name} names no code of its own"
            assert hint, f"{node.name} has no hint, nor has its base"
            with_hint[node.name] = hint
        waiting = [node for node in waiting if node not in ready]
    assert not waiting, f"these do not derive from {ERROR_BASE}: {[node.name for node in waiting]}"


def test_the_tree_of_errors_is_drawn_where_its_base_is() -> None:
    drawn = set(re.findall(r"[A-Z]\w+", ast.get_docstring(ast.parse(ERROR_BASE_FILE.read_text())) or ""))
    roots = {node.name for node in exception_classes() if ERROR_BASE in base_names(node)}
    assert roots <= drawn, f"shared/errors.py does not draw {sorted(roots - drawn)}"


def test_what_the_engine_may_import_of_shared_code_imports_the_standard_library_alone() -> None:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    [contract] = [
        contract
        for contract in settings["tool"]["importlinter"]["contracts"]
        if contract["name"].startswith("The engine is pure")
    ]
    leaves = {edge.rpartition(" -> ")[2] for edge in contract["ignore_imports"]}
    assert all(leaf.startswith("shared.") for leaf in leaves)
    for leaf in leaves:
        nodes = list(ast.walk(ast.parse((ROOT / f"{leaf.replace('.', '/')}.py").read_text(encoding="utf-8"))))
        named = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
        named |= {node.module or "." for node in nodes if isinstance(node, ast.ImportFrom)}
        foreign = {name for name in named if name.partition(".")[0] not in sys.stdlib_module_names}
        assert not foreign, f"{leaf} imports {foreign}; the engine imports it, so it must stay pure"


def test_the_database_has_the_clock_not_the_process() -> None:
    guilty = [
        f"{file.relative_to(ROOT)}:{call.lineno}"
        for file in source_files()
        for call in calls(file)
        if isinstance(call.func, ast.Attribute)
        and call.func.attr in {"now", "utcnow", "today"}
        and isinstance(call.func.value, ast.Name)
        and call.func.value.id in {"datetime", "date"}
        and not call.args
        and not call.keywords
    ]
    assert not guilty, guilty


def test_logs_get_the_words_of_an_error_and_never_its_text() -> None:
    """An error's own text may hold parameters, keys and prompts: `shared.error_words`."""
    guilty = [
        f"{file.relative_to(ROOT)}:{call.lineno}"
        for file in source_files()
        if file.relative_to(ROOT).parts[0] in {"services", "shared"}
        for call in calls(file)
        if isinstance(call.func, ast.Attribute) and ast.unparse(call.func.value) == "logger"
        for value in (*call.args[1:], *(keyword.value for keyword in call.keywords))
        if re.search(r"\b(?:str|repr)\(\w*(?:error|fault|exception)\b", ast.unparse(value))
    ]
    assert not guilty, guilty


def test_tests_wait_for_signals_and_never_sleep() -> None:
    guilty = [
        f"{file.relative_to(ROOT)}:{call.lineno}"
        for file in tracked_files(".py")
        if file.relative_to(ROOT).parts[0] == "tests"
        for call in calls(file)
        if isinstance(call.func, ast.Attribute)
        and call.func.attr == "sleep"
        and isinstance(call.func.value, ast.Name)
        and call.func.value.id in {"time", "asyncio"}
    ]
    assert not guilty, guilty


def test_test_files_share_helpers_through_their_room_alone() -> None:
    """A file that is imported by a test cannot be moved or deleted as a test can."""
    room, repeats_tests = ROOT / "tests/support", ROOT / "tests/cuda/test_engine_promises.py"
    guilty = [
        f"{file.relative_to(ROOT)}: {node.module}"
        for file in tracked_files(".py")
        if file.relative_to(ROOT).parts[0] == "tests" and file != repeats_tests
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
        if isinstance(node, ast.ImportFrom) and node.module is not None
        if (is_test(node.module) if room not in file.parents else is_outside(node.module))
    ]
    assert not guilty, "\n".join(guilty)


def is_test(module: str) -> bool:
    """Whether a module of that name has tests or fixtures."""
    return module.startswith("tests.") and module.rpartition(".")[2].startswith(("test_", "conftest"))


def is_outside(module: str) -> bool:
    """Whether a module belongs to the tests but not to their helpers."""
    return module.startswith("tests.") and not module.startswith("tests.support.")


def test_only_the_room_of_pictures_opens_them() -> None:
    guilty = [
        f"{file.relative_to(ROOT)}:{call.lineno}"
        for file in source_files()
        if file.relative_to(ROOT).parts[:2] != ("shared", "pictures")
        and file.relative_to(ROOT).parts[0] != "benchmarks"
        for call in calls(file)
        if isinstance(call.func, ast.Attribute)
        and call.func.attr == "open"
        and isinstance(call.func.value, ast.Name)
        and call.func.value.id in {"Image", "PIL"}
    ]
    assert not guilty, guilty


def test_the_lock_names_exact_versions_and_no_index() -> None:
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    pins = [line for line in lines if line and not line.startswith("#")]
    assert pins
    assert all(re.fullmatch(r"[A-Za-z0-9._-]+==[A-Za-z0-9.!]+", pin) for pin in pins), pins


def test_make_has_few_targets_and_each_explains_itself() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = re.findall(r"^\.PHONY: (\S+)$", makefile, re.MULTILINE)
    assert len(targets) <= 24
    for target in targets:
        assert re.search(rf"^{target}:.*## \S", makefile, re.MULTILINE), target
