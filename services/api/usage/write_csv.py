"""The answer as CSV: a line with the names of the fields, then the rows. Source: RFC 4180."""

import csv
import io
from typing import Any

from services.api.usage.schemas import AMOUNTS, FIELDS, UsageReport

FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n")
"""First characters of a text that spreadsheets take for a formula.

Source: OWASP, CSV Injection.
"""


def write_csv(report: UsageReport) -> str:
    """The rows with the same values as in JSON; null is an empty field.

    A text that a spreadsheet would take for a formula begins with an apostrophe.
    """
    names = [*(FIELDS[group] for group in report.group_by), *AMOUNTS]
    buffer = io.StringIO(newline="")
    writer = csv.DictWriter(buffer, names)
    writer.writeheader()
    for row in report.data:
        values = row.model_dump(mode="json", exclude_unset=True)
        writer.writerow({name: harmless(value) for name, value in values.items()})
    return buffer.getvalue()


def harmless(value: Any) -> Any:
    """The value, with an apostrophe before a text that looks like a formula."""
    return f"'{value}" if isinstance(value, str) and value.startswith(FORMULA_STARTS) else value
