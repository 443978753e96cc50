"""The SQL of the dashboards runs as the role that may read their views; macros are put in here."""

import json
import re
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import psycopg
import pytest

from infra.local.postgres_roles import Role, ensure_role
from infra.local.stack import EmbeddedStack
from migrations.roles import READER, let_read
from shared.settings import DatabaseSettings
from tests.support.servers.databases import role_url
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
def test_a_panel_reads_what_its_role_may_see(
    stack: EmbeddedStack, settings: DatabaseSettings, title: str, sql: str
) -> None:
    for macro, replacement in MACROS:
        sql = re.sub(macro, replacement, sql)
    sql = sql.replace("${job}", f"job_{uuid4()}")
    assert "$" not in sql, title
    url = role_url(settings.url.get_secret_value(), READER, "secret")
    assert stack.postgres is not None
    assert url.database is not None
    with psycopg.connect(stack.postgres.superuser_url(url.database), autocommit=True) as admin:
        ensure_role(admin, role := Role(READER, "secret"))
        let_read(admin, url.database, role)
    with psycopg.connect(url.render_as_string(hide_password=False)) as reader:
        reader.execute(sql.encode()).fetchall()
