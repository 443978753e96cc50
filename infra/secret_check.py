"""Look for secrets in the files of the repository: `python -m infra.secret_check [--history]`.

Only secrets with a form of their own are looked for, as with most rules of gitleaks; guesses by entropy would
report hashes and pictures. A line with the words `not a secret`, or a value of HARMLESS, is not reported.
 The value is never printed.
"""

import re
import subprocess
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

RULES = {
    "private key": r"-----BEGIN (?:[A-Z]+ )*PRIVATE KEY-----",
    "key of age": r"AGE-SECRET-KEY-1[0-9A-Z]{20,}",
    "API key of Luminary": r"\blum_[A-Za-z0-9_-]{43}(?![A-Za-z0-9_-])",
    "webhook secret": r"\bwhsec_[A-Za-z0-9+/]{32,}",
    "key of AWS": r"\b(?:AKIA|ASIA)[A-Z0-9]{16}\b",
    "key of Google": r"\bAIza[\w-]{35}\b",
    "token of GitHub": r"\bgh[pousr]_[A-Za-z0-9]{36,}|\bgithub_pat_[A-Za-z0-9_]{40,}",
    "token of GitLab": r"\bglpat-[\w-]{20,}",
    "token of Slack": r"\bxox[abeprs]-[\w-]{10,}",
    "token of Hugging Face": r"\bhf_[A-Za-z]{34}\b",
    "token of a package registry": r"\bpypi-AgEI[\w-]{50,}|\bnpm_[A-Za-z0-9]{36}\b",
    "key of a model provider": r"\bsk-(?:proj-|ant-)?[A-Za-z0-9_-]{40,}",
    "key of Stripe": r"\b[rs]k_live_[A-Za-z0-9]{20,}",
    "JSON web token": r"\beyJ[\w-]{10,}\.eyJ[\w-]{10,}\.[\w-]{10,}",
    "password in an address": (
        r"://[^\s:/@'\"{}<>]*:(?=[^\s@]*\d)(?=[^\s@]*[a-z])(?=[^\s@]*[A-Z])[^\s:/@'\"{}<>*]{12,}@"
    ),
}
PATTERN = re.compile("|".join(f"({rule})" for rule in RULES.values()))
NAMES = tuple(RULES)
EXCUSE = "not a secret"
HARMLESS = ("EXAMPLE", "AAECAWQFBGCICQ")
"""Parts of values that protect nothing, in capitals; the second one is base64 of the bytes 0, 1, 2 ..."""
TEST_KEYS = frozenset({"tests/unit/api/tls/server.pem"})
"""Keys that protect nothing: tests serve localhost with them."""


def secrets_in(lines: Iterable[str]) -> Iterator[tuple[int, str]]:
    """Line number and rule of each secret."""
    for number, line in enumerate(lines, start=1):
        if EXCUSE in line:
            continue
        for match in PATTERN.finditer(line):
            if not any(part in match.group().upper() for part in HARMLESS):
                yield number, NAMES[(match.lastindex or 1) - 1]


def git(*arguments: str) -> bytes:
    """The output of git."""
    return subprocess.run(["git", *arguments], check=True, capture_output=True).stdout  # noqa: S603, S607


def check_files(root: Path) -> Iterator[str]:
    """A sentence for each secret in a file that git has or would add."""
    names = git("-C", str(root), "ls-files", "--cached", "--others", "--exclude-standard", "-z").decode()
    for name in filter(None, names.split("\0")):
        file = root / name
        if name in TEST_KEYS or not file.is_file():
            continue
        data = file.read_bytes()
        if b"\0" not in data[:8192]:
            for number, rule in secrets_in(data.decode(errors="replace").splitlines()):
                yield f"{name}:{number}: {rule}"


def check_history(root: Path) -> Iterator[str]:
    """A sentence for each secret in a line that a commit has added."""
    commit = file = ""
    changes = git("-C", str(root), "log", "--all", "--patch", "--unified=0", "--format=commit %h")
    for line in changes.decode(errors="replace").split("\n"):
        if line.startswith("commit "):
            commit = line.removeprefix("commit ")
        elif line.startswith("+++ "):
            file = line.removeprefix("+++ b/")
        elif line.startswith("+") and file not in TEST_KEYS:
            for _, rule in secrets_in([line]):
                yield f"{commit} {file}: {rule}"


def main() -> None:
    """Print what was found; the exit status is 1 if that is anything."""
    root = Path(__file__).parents[1]
    found = list(check_history(root) if "--history" in sys.argv[1:] else check_files(root))
    for sentence in found:
        print(sentence)  # noqa: T201  (a program)
    if found:
        sys.exit(f"secret check: {len(found)} found; remove them, and revoke them if they were ever shared")


if __name__ == "__main__":
    main()
