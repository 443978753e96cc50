"""The secret that workers and tokenizer service share, its rotation, and mutual TLS."""

import ssl
from contextlib import closing
from pathlib import Path

import pytest
from pydantic import SecretStr
from starlette.testclient import TestClient

from infra.local.certificates import AUTHORITY, CERTIFICATE, KEY, ensure_certificates
from services.tokenizer.__main__ import tls_options
from services.tokenizer.app import create_app
from services.tokenizer.settings import TokenizerServiceSettings
from services.worker.tokenizer_client import TokenizerClient, TokenizerUnavailableError
from shared.security_headers import SECURITY_HEADERS
from shared.settings import TokenizerAddress
from tests.support.models.random_models import CODES, write_movqgan
from tests.support.platforms.platform import serve

OLD, NEW = "the-old-secret-of-both", "the-new-secret-of-both"


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(write_movqgan(tmp_path_factory.mktemp("movqgan")))


def service(model: str, secret: str | None = None, **more: object) -> TokenizerServiceSettings:
    hidden = SecretStr(secret) if secret else None
    return TokenizerServiceSettings.model_validate(
        {"model": model, "device": "cpu", "secret": hidden, **more}
    )


@pytest.mark.parametrize(
    "header",
    [{}, {"Authorization": "Bearer wrong-secret-wrong"}, {"Authorization": f"Basic {NEW}"}],
    ids=["none", "wrong", "scheme"],
)
def test_a_request_without_the_secret_is_refused_and_health_is_not(
    model: str, header: dict[str, str]
) -> None:
    with TestClient(create_app(service(model, NEW))) as client:
        refused = client.post("/v1/encode?fit=64", content=b"x", headers=header)
        assert (refused.status_code, refused.json()["error"]["code"]) == (401, "unauthenticated")
        assert refused.headers["www-authenticate"] == "Bearer"
        assert all(refused.headers[name] == value for name, value in SECURITY_HEADERS.items())
        for path in ("/healthz", "/readyz", "/metrics", "/problems/unauthenticated"):
            assert client.get(path, headers=header).status_code == 200


def test_a_secret_is_replaced_while_workers_with_both_run(model: str) -> None:
    """As docs/operations.md says: the service accepts both, workers change, the service drops the old one."""

    def codes_seen_by(worker: str, url: str) -> int:
        address = TokenizerAddress(url=url, secret=SecretStr(worker))
        with closing(TokenizerClient(address, 60.0)) as client:
            return client.model.codes

    with serve(create_app(service(model, OLD))) as url:
        assert codes_seen_by(OLD, url) == CODES
        with pytest.raises(TokenizerUnavailableError, match="does not accept TOKENIZER_SECRET"):
            codes_seen_by(NEW, url)
    with serve(create_app(service(model, f"{NEW},{OLD}"))) as url:
        assert (
            codes_seen_by(OLD, url) == codes_seen_by(NEW, url) == codes_seen_by(f"{NEW},{OLD}", url) == CODES
        )
    with serve(create_app(service(model, NEW))) as url:
        assert codes_seen_by(NEW, url) == CODES
        with pytest.raises(TokenizerUnavailableError):
            codes_seen_by(OLD, url)


def test_mutual_tls_lets_only_workers_with_a_certificate_in(model: str, tmp_path: Path) -> None:
    ensure_certificates(tmp_path, "127.0.0.1", None)
    authority, pair = tmp_path / AUTHORITY, tmp_path / "pair.pem"
    pair.write_text((tmp_path / CERTIFICATE).read_text() + (tmp_path / KEY).read_text())
    settings = service(model, tls_certificate=pair, tls_client_ca=authority)
    assert tls_options(settings)["ssl_cert_reqs"] is ssl.CERT_REQUIRED
    with serve(create_app(settings), **tls_options(settings)) as url:
        address = TokenizerAddress(url=url, ca_certificate=authority, client_certificate=pair)
        with closing(TokenizerClient(address, 60.0)) as client:
            assert client.model.codes == CODES
        for stranger in (TokenizerAddress(url=url, ca_certificate=authority), TokenizerAddress(url=url)):
            with (
                closing(TokenizerClient(stranger, 60.0)) as client,
                pytest.raises(TokenizerUnavailableError),
            ):
                _ = client.model
