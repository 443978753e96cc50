"""Write docs/problems.md from the tables: `python -m services.api.problem_page > docs/problems.md`."""

import sys
from collections.abc import Iterator

from services.api.problems import PROBLEMS
from shared.job_errors import JOB_ERRORS

INTRODUCTION = """\
# Problems

<!-- Written by `python -m services.api.problem_page > docs/problems.md`; a test keeps it true. -->

Every refusal of the API is an [RFC 9457](https://www.rfc-editor.org/rfc/rfc9457) document of the media type
`application/problem+json`. Its `type` is `<gateway>/problems/<code>`, an address that answers with the entry
below; `error.code` is the same code. Codes are stable: programs may depend on them. `detail` is one sentence
for a person, `errors` names every faulty field, and `request_id` is what the gateway's log has.
"""
JOB_INTRODUCTION = """\
# Errors of jobs

A job that was taken can still fail. `error.code` of the job says why, `error.retryable` whether the same
request may succeed another time, and `error.hint` is the remedy.
"""


def problem_page() -> str:
    """The page."""
    return "\n".join(sections()) + "\n"


def sections() -> Iterator[str]:
    """The introductions, and a section for each code."""
    yield INTRODUCTION
    for code, kind in PROBLEMS.items():
        yield f"## {code}\n\n**{kind.status} {kind.title}**"
        yield f"\nCause: {kind.cause}\n\nRemedy: {kind.remedy}\n"
    yield JOB_INTRODUCTION
    yield "| code | retryable | hint |\n|---|---|---|"
    for code, kind in JOB_ERRORS.items():
        yield f"| `{code}` | {'yes' if kind.retryable else 'no'} | {kind.hint} |"


if __name__ == "__main__":
    sys.stdout.write(problem_page())
