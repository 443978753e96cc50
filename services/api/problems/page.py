"""Write docs/problems.md from the tables: `python -m services.api.problems.page > docs/problems.md`."""

import sys
from collections.abc import Iterator

from services.api.problems.codes import PROBLEMS
from shared.job_errors import JOB_ERRORS

INTRODUCTION = """\
# Problems

<!-- Written by `make pages`; a test compares it with the table in the code. -->

Every error response of the API is an [RFC 9457](https://www.rfc-editor.org/rfc/rfc9457) document with the
media type `application/problem+json`. Its `type` is the address `<gateway>/problems/<code>`, which returns
the entry below; `error.code` is the same code. Codes are stable: programs may depend on them. `detail` is
one sentence for a person, `errors` lists every faulty field, and `request_id` is the id of the request in
the gateway's log.
"""
JOB_INTRODUCTION = """\
# Errors of jobs

An accepted job can still fail. `error.code` of the job is the reason, `error.retryable` says whether the same
request may succeed later, and `error.hint` is the remedy.
"""


def problem_page() -> str:
    """The Markdown of docs/problems.md."""
    return "\n".join(sections()) + "\n"


def sections() -> Iterator[str]:
    """A section for each problem code, and the table of job errors, each after its introduction."""
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
