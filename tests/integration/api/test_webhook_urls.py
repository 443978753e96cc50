"""URLs of webhooks that are refused when they are registered, and the project's secret."""

from typing import Any

import pytest

from services.api.problems.codes import ProblemCode
from services.api.settings import GatewayProcessSettings
from shared.database import Database
from shared.settings import WebhookSettings
from shared.tables import Project as ProjectRow
from shared.tables import WebhookEndpoint
from shared.webhooks.signatures import shown_secret
from tests.support.gateway.clients import Project, assert_problem
from tests.support.gateway.running import admit, running_gateway

FORBIDDEN = [
    "https://user@example.org/hook",
    "https://user:password@example.org/hook",
    "https://example.org:9000/hook",
    "http://127.0.0.1/hook",
    "http://0x7f.1/hook",
    "http://2130706433/hook",
    "http://[::1]/hook",
    "http://[64:ff9b::7f00:1]/hook",
    "http://10.0.0.1/hook",
    "http://169.254.169.254/latest/meta-data",
    "http://168.63.129.16/",
]


@pytest.mark.parametrize("url", FORBIDDEN)
def test_a_webhook_with_a_user_name_or_a_private_address_is_refused(
    alice: Project, database: Database, url: str
) -> None:
    refused = alice.submit(webhook={"url": url})
    document = assert_problem(refused, ProblemCode.WEBHOOK_URL_FORBIDDEN, "webhook.url")
    assert "password" not in document.detail
    with database.transaction() as session:
        assert session.query(WebhookEndpoint).all() == []


@pytest.mark.parametrize(
    ("url", "origin"),
    [
        ("https://example.org/hook?key=1", "https://example.org"),
        ("http://EXAMPLE.org:80/hook", "http://example.org"),
        ("https://bücher.example/hook", "https://xn--bcher-kva.example"),
        ("http://93.184.216.34/hook", "http://93.184.216.34"),
    ],
)
def test_webhooks_of_jobs_know_their_origin(
    alice: Project, database: Database, url: str, origin: str
) -> None:
    assert alice.submit(webhook={"url": url}).status_code == 202
    with database.transaction() as session:
        assert session.query(WebhookEndpoint).one().origin == origin


def test_an_operator_can_allow_a_private_network(
    gateway_settings: GatewayProcessSettings, database: Database
) -> None:
    webhooks = WebhookSettings.model_validate({"allowed_networks": "10.0.0.0/8"})
    settings = gateway_settings.model_copy(update={"webhooks": webhooks})
    with running_gateway(settings) as client:
        project = admit(database, client, "inside")
        assert project.submit(webhook={"url": "http://10.1.2.3:9000/hook"}).status_code == 202
        outside = project.submit(webhook={"url": "http://192.168.1.1/hook"})
        assert_problem(outside, ProblemCode.WEBHOOK_URL_FORBIDDEN, "webhook.url")


def test_a_project_reads_its_own_secret(alice: Project, bob: Project, database: Database) -> None:
    def secret(project: Project) -> Any:
        return project.get("/v1/webhook_endpoints/default/secret").json()["secret"]

    with database.transaction() as session:
        stored = session.get_one(ProjectRow, alice.project_id).webhook_secret
    assert secret(alice) == shown_secret(stored)
    assert secret(alice) != secret(bob)


def test_the_secret_needs_a_key(alice: Project) -> None:
    answer = alice.client.get("/v1/webhook_endpoints/default/secret")
    assert_problem(answer, ProblemCode.UNAUTHENTICATED)
