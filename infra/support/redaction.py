"""Remove secrets, keys and prompts from text that leaves the machine.

Facts are chosen by name, so that most secrets are never read. Known secrets and recent prompts are replaced
wherever they occur. `shared.error_words` and more patterns replace what looks like a secret.
"""

import json
import re
from collections.abc import Iterable, Mapping
from urllib.parse import unquote, urlsplit

from shared.error_words import without_secrets

REMOVED = "***"
SHORTEST = 6
"""Shorter values are not replaced: they occur in ordinary words."""
SECRET_NAME = re.compile(
    r"(?i)secret|password|passwd|token(?!izer|s)|credential|api_?key|access_?key|private|_url$"
)
NAMED = r"""(?i)((?:\bprompt|password|passwd|secret|_key|apikey)\"?\s*[:=]\s*)"""
PATTERNS: tuple[tuple[re.Pattern[str], str], ...] = (
    (re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*-----|\Z)", re.DOTALL), REMOVED),
    (re.compile(r"AGE-SECRET-KEY-[0-9A-Z]+"), REMOVED),
    (re.compile(r"(?i)\b(bearer|basic)\s+[A-Za-z0-9._~+/=-]{6,}"), rf"\1 {REMOVED}"),
    (re.compile(r"\beyJ[\w-]+\.[\w-]+\.[\w-]*"), REMOVED),
    (re.compile(r"\b(?:AKIA|ASIA)[A-Z0-9]{16}\b"), REMOVED),
    (re.compile(r"\bdata:image/[^\s\"']+"), f"data:image/{REMOVED}"),
    (re.compile(NAMED + r"""(?!"\(set\)")"(?:[^"\\]|\\.)*\""""), rf'\1"{REMOVED}"'),
    (re.compile(NAMED + r"'[^']*'"), rf"\1'{REMOVED}'"),
    (re.compile(NAMED + r"""[^\s"',}\]]+"""), rf"\1{REMOVED}"),
)
"""Private keys, credentials of HTTP headers, JSON web tokens, AWS key ids, inline pictures, and values after
names such as `prompt`, `password` or `api_key`."""


def secrets_in(environment: Mapping[str, str]) -> set[str]:
    """Values of variables whose name speaks of a secret or an address, and the passwords in addresses."""
    found: set[str] = set()
    for name, value in environment.items():
        if not SECRET_NAME.search(name):
            continue
        try:
            password = urlsplit(value).password
        except ValueError:
            password = None
        if "://" not in value:
            found.add(value)
        elif password:
            found |= {password, unquote(password)}
    return found


def written(value: str) -> set[str]:
    """The value as it is, and as JSON and Python write it inside quotes."""
    return {value, json.dumps(value)[1:-1], json.dumps(value, ensure_ascii=False)[1:-1], repr(value)[1:-1]}


class Redaction:
    """Replaces known values and everything that looks like a secret."""

    def __init__(self, known: Iterable[str]) -> None:
        """known: secrets and prompts; the longest are replaced first, since one may contain another."""
        values = sorted({value for value in known if len(value) >= SHORTEST}, key=len, reverse=True)
        forms = [form for value in values for form in written(value)]
        self._known = re.compile("|".join(map(re.escape, forms))) if forms else None

    def apply(self, text: str) -> str:
        """The text without secrets, keys and prompts."""
        if self._known is not None:
            text = self._known.sub(REMOVED, text)
        text = without_secrets(text)
        for pattern, replacement in PATTERNS:
            text = pattern.sub(replacement, text)
        return text
