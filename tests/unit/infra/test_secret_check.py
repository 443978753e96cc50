"""The repository holds no secret, and the check finds planted ones; the audit's verdict on its reports."""

import json
import subprocess
from pathlib import Path

import pytest

from infra.audit import CLEAN, UNKNOWN, VULNERABLE, judge
from infra.secret_check import RULES, check_files, check_history, secrets_in
from shared.security import generate_api_key
from tests.support.source_tree import ROOT

PLANTED = {
    "private key": "-----BEGIN OPENSSH " + "PRIVATE KEY-----",
    "key of age": "AGE-SECRET-KEY-1" + "Q" * 58,
    "API key of Luminary": generate_api_key().token,
    "webhook secret": "whsec_" + "Mf" * 20,
    "key of AWS": "AKIA" + "A2" * 8,
    "key of Google": "AIza" + "b" * 35,
    "token of GitHub": "ghp_" + "c3" * 18,
    "token of GitLab": "glpat-" + "d" * 20,
    "token of Slack": "xoxb-" + "1234567890",
    "token of Hugging Face": "hf_" + "e" * 34,
    "token of a package registry": "npm_" + "f" * 36,
    "key of a model provider": "sk-proj-" + "g" * 44,
    "key of Stripe": "sk_live_" + "h" * 24,
    "JSON web token": ".".join(["eyJ" + "i" * 12, "eyJ" + "j" * 12, "k" * 12]),
    "password in an address": "postgresql://luminary:" + "Xy7bQ2mK9pLw" + "@db/luminary",
}


def test_the_repository_holds_no_secret() -> None:
    assert list(check_files(ROOT)) == []


@pytest.mark.parametrize("rule", RULES)
def test_a_planted_secret_is_found(rule: str) -> None:
    assert (1, rule) in list(secrets_in([f'value = "{PLANTED[rule]}"']))
    assert list(secrets_in([f'value = "{PLANTED[rule]}"  # not a secret'])) == []


def test_a_secret_that_was_deleted_is_found_in_the_history(tmp_path: Path) -> None:
    def git(*arguments: str) -> None:
        name = ("-c", "user.name=test", "-c", "user.email=test@example.com")
        subprocess.run(["git", "-C", str(tmp_path), *name, *arguments], check=True, capture_output=True)

    git("init")
    file = tmp_path / "settings.env"
    for content in (PLANTED["token of GitHub"], "nothing"):
        file.write_text(f"TOKEN={content}\n")
        git("add", ".")
        git("commit", "-m", "a change")
    assert list(check_files(tmp_path)) == []
    [found] = check_history(tmp_path)
    assert found.endswith("settings.env: token of GitHub")


def report(*packages: dict[str, object]) -> str:
    return json.dumps({"dependencies": packages, "fixes": []})


def test_the_audit_tells_clean_from_vulnerable_from_unknown() -> None:
    clean: dict[str, object] = {"name": "a", "version": "1", "vulns": []}
    faulty: dict[str, object] = {
        "name": "b",
        "version": "2",
        "vulns": [{"id": "CVE-1", "fix_versions": ["3"]}],
    }
    unknown: dict[str, object] = {"name": "c", "skip_reason": "not found"}
    assert judge(report(clean, unknown), "").status == CLEAN
    assert judge(report(clean, faulty), "").status == VULNERABLE
    assert "b 2: CVE-1, fixed in 3" in judge(report(clean, faulty), "").lines
    for output, errors in ((report(unknown), ""), ("", "ERROR: connection refused")):
        verdict = judge(output, errors)
        assert (len(verdict.lines), verdict.status) == (1, UNKNOWN)
        assert "nothing was checked" in verdict.lines[0]
