"""The SQL of the dashboards runs on the schema; what Grafana puts in is put in here."""

import json
import re
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import pytest

from shared.database import Database
from tests.support.source_tree import ROOT

DASHBOARDS = ROOT / "infra" / "observability" / "grafana" / "dashboards"
MACROS = (
    (r"\$__timeFilter\(([^()]+)\)", r"\1 BETWEEN now() - interval '1 day' AND now()"),
    (r"\$__timeGroupAlias\(([^,]+), \$__interval\)", r"date_bin('1 hour', \1, now()) AS time"),
)


def statements() -> Iterator[tuple[str, str]]:
    """Title and SQL of each panel."""
    for file in sorted(DASHBOARDS.glob("*.json")):
        panels: list[dict[str, Any]] = json.loads(file.read_text(encoding="utf-8"))["panels"]
        for panel in panels:
            for target in panel.get("targets", ()):
                if "rawSql" in target:
                    yield f"{file.stem}: {panel['title']}", target["rawSql"]


@pytest.mark.parametrize(("title", "sql"), [pytest.param(*one, id=one[0]) for one in statements()])
def test_a_panel_reads_what_the_schema_has(database: Database, title: str, sql: str) -> None:
    for macro, replacement in MACROS:
        sql = re.sub(macro, replacement, sql)
    sql = sql.replace("${job}", f"job_{uuid4()}")
    assert "$" not in sql, title
    with database.transaction() as session:
        session.connection().exec_driver_sql(sql).all()
