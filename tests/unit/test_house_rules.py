"""Rules of this house that no general linter knows. ARCHITECTURE.md names each."""

import ast
import re
import statistics
import subprocess
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
SOURCE_FOLDERS = ("services", "shared", "luminary", "training", "infra", "benchmarks")
MEDIAN_LINES, NINETIETH_PERCENTILE, MOST_LINES = 150, 350, 500
FOREIGN_WORDS = re.compile(
    r"/(?:work|farm|root)/|pypi\.org|deb\.debian\.org|registry\.npmjs|files\.pythonhosted"
)


def tracked_files(*suffixes: str) -> list[Path]:
    """Files of the repository, by the ends of their names."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    ).stdout.splitlines()
    return [ROOT / name for name in listed if name.endswith(suffixes) and (ROOT / name).is_file()]


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


def test_every_error_class_of_a_package_says_its_code_and_what_mends_it() -> None:
    bases = {"EngineError", "MoVQGANError", "ImageError"}
    for file in source_files():
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if not isinstance(node, ast.ClassDef) or node.name not in bases:
                continue
            named = {item.target.id for item in node.body if isinstance(item, ast.AnnAssign)}
            assert {"code", "retryable", "hint"} <= named, f"{file}: {node.name}"


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


def test_the_lock_names_exact_versions_and_no_index() -> None:
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    pins = [line for line in lines if line and not line.startswith("#")]
    assert pins
    assert all(re.fullmatch(r"[A-Za-z0-9._-]+==[A-Za-z0-9.!]+", pin) for pin in pins), pins


def test_make_has_few_targets_and_each_explains_itself() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = re.findall(r"^\.PHONY: (\S+)$", makefile, re.MULTILINE)
    assert len(targets) <= 15
    for target in targets:
        assert re.search(rf"^{target}:.*## \S", makefile, re.MULTILINE), target
