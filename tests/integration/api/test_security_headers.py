"""Headers that protect browsers are on every answer; pages of other origins get answers only if allowed."""

import pytest

from services.api.problems.codes import ProblemCode
from services.api.settings import GatewayProcessSettings
from shared.security_headers import SECURITY_HEADERS
from tests.support.gateway.clients import Project
from tests.support.gateway.running import running_gateway
from tests.support.gateway.served import request, served

STUDIO = "https://studio.example"
PREFLIGHT = {
    "Origin": STUDIO,
    "Access-Control-Request-Method": "POST",
    "Access-Control-Request-Headers": "authorization,content-type,idempotency-key",
}


@pytest.mark.parametrize(
    "sent",
    [
        request("GET", "/healthz"),
        request("GET", "/metrics"),
        request("GET", "/openapi.json"),
        request("GET", "/nothing"),
        request("POST", "/v1/jobs"),
        request("OPTIONS", "/v1/jobs"),
        b"no http at all\r\n\r\n",
    ],
    ids=["health", "metrics", "document", "unknown", "no key", "method", "no http"],
)
def test_every_answer_has_the_headers(gateway_settings: GatewayProcessSettings, sent: bytes) -> None:
    with served(gateway_settings) as gateway:
        answer = gateway.exchange(sent)
    for name, value in SECURITY_HEADERS.items():
        assert answer.headers[name.lower()] == value
    assert "server" not in answer.headers
    assert "strict-transport-security" not in answer.headers


def test_a_page_keeps_its_own_policy_and_gets_the_other_headers(alice: Project) -> None:
    page = alice.client.get("/docs")
    assert "script-src 'self'" in page.headers["content-security-policy"]
    assert page.headers["x-frame-options"] == "DENY"


def test_a_public_https_address_is_remembered_by_browsers(gateway_settings: GatewayProcessSettings) -> None:
    with served(gateway_settings, public_url="https://pictures.example") as gateway:
        answer = gateway.exchange(request("GET", "/healthz"))
    assert answer.headers["strict-transport-security"] == "max-age=31536000"


def test_without_the_setting_no_other_origin_reads_answers(alice: Project) -> None:
    answer = alice.get("/v1/jobs", {"Origin": STUDIO})
    assert answer.status_code == 200
    assert not [name for name in answer.headers if name.startswith("access-control-")]
    preflight = alice.client.options("/v1/jobs", headers=PREFLIGHT)
    assert preflight.json()["error"]["code"] == ProblemCode.UNAUTHENTICATED


def test_an_allowed_origin_may_call_the_api_and_read_refusals(
    alice: Project, gateway_settings: GatewayProcessSettings
) -> None:
    gateway = gateway_settings.gateway.model_copy(update={"cors_origins": [STUDIO]})
    with running_gateway(gateway_settings.model_copy(update={"gateway": gateway})) as client:
        preflight = client.options("/v1/jobs", headers=PREFLIGHT)
        assert preflight.status_code == 200
        assert preflight.headers["access-control-allow-origin"] == STUDIO
        assert "access-control-allow-credentials" not in preflight.headers
        answer = client.get("/v1/jobs", headers=alice.authorization | {"Origin": STUDIO})
        assert answer.headers["access-control-allow-origin"] == STUDIO
        assert "ETag" in answer.headers["access-control-expose-headers"]
        refused = client.get("/v1/jobs", headers={"Origin": STUDIO})
        assert (refused.status_code, refused.headers["access-control-allow-origin"]) == (401, STUDIO)
        other = client.get("/v1/jobs", headers=alice.authorization | {"Origin": "https://evil.example"})
        assert "access-control-allow-origin" not in other.headers
