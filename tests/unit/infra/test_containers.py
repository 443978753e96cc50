"""The compose file and what its containers run: secrets that stay apart, and nothing that runs as root."""

import json
import os
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from infra.containers.make_secrets import NAMES, make_secrets
from infra.containers.ready import problem_of
from infra.local.ports import free_ports
from infra.local.settings_table import SECTIONS
from services.worker.__main__ import copy_compiled_code
from shared.misspelt_variables import misspelt_variables
from tests.support.source_tree import ROOT

COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text(encoding="utf-8"))
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
OURS = [name for name, service in SERVICES.items() if "build" in service]
SCHEMA = "COMPOSE_SCHEMA"
WITH_A_WAY_OUT = {"gateway", "io-worker", "alertmanager", "otel-collector", "grafana"}


def secrets_of(name: str) -> set[str]:
    """The secrets that a container mounts."""
    mounts = [volume.partition(":")[0] for volume in SERVICES[name].get("volumes", [])]
    return {mount.removesuffix("-secrets") for mount in mounts if mount.endswith("-secrets")}


def test_passwords_are_generated_once_and_never_again(tmp_path: Path) -> None:
    assert make_secrets(tmp_path) == sorted(NAMES)
    first = {file: file.read_text() for file in tmp_path.rglob("*") if file.is_file()}
    assert make_secrets(tmp_path) == []
    assert {file: file.read_text() for file in tmp_path.rglob("*") if file.is_file()} == first


def test_a_consumer_gets_no_password_of_another(tmp_path: Path) -> None:
    make_secrets(tmp_path)
    passwords = json.loads((tmp_path / "setup" / "passwords.json").read_text())
    assert len(set(passwords.values())) == len(NAMES)
    of_services = "".join(file.read_text() for file in (tmp_path / "services").iterdir())
    assert passwords["services"] in of_services
    assert not any(passwords[name] in of_services for name in ("superuser", "owner", "grafana"))
    for name in ("postgres", "valkey", "rabbitmq", "grafana", "s3", "tokenizer"):
        text = "".join(file.read_text() for file in (tmp_path / name).iterdir())
        own = {"postgres": {"superuser"}, "grafana": {"grafana", "reader"}}.get(name, {name})
        assert {each for each, password in passwords.items() if password in text} == own


def test_containers_mount_the_secrets_that_they_need_alone() -> None:
    mounted = {name: secrets_of(name) for name in SERVICES}
    assert [name for name in SERVICES if "setup" in mounted[name]] == ["secrets", "prepare", "migrations"]
    for server in ("postgres", "valkey", "s3", "rabbitmq", "tokenizer", "grafana"):
        assert mounted[server] == {server}
    for name in ("gateway", "io-worker", "worker", "worker-gpu", "cli", "first-key"):
        assert mounted[name] == {"services"}


def test_the_file_has_no_password() -> None:
    for name, service in SERVICES.items():
        for variable, value in (service.get("environment") or {}).items():
            is_secret = any(word in variable for word in ("PASSWORD", "SECRET", "DATABASE_URL", "BROKER_URL"))
            assert not is_secret or str(value).startswith("/secrets/"), f"{name}: {variable}"


@pytest.mark.parametrize("name", OURS)
def test_our_containers_are_hardened(name: str) -> None:
    service = SERVICES[name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert "user" not in service, "the image names the user"
    assert not service.get("privileged")


@pytest.mark.parametrize("name", OURS)
def test_every_variable_of_the_file_is_a_setting(name: str) -> None:
    given = {variable: str(value) for variable, value in SERVICES[name].get("environment", {}).items()}
    assert misspelt_variables(given, SECTIONS.values()) == []


def test_images_of_others_have_exact_versions() -> None:
    for name, service in SERVICES.items():
        tag = service["image"].rpartition(":-")[2].removesuffix("}")
        if name not in OURS:
            assert ":" in tag
            assert not tag.endswith(":latest"), name


def test_only_what_needs_the_outside_world_has_a_way_there() -> None:
    assert COMPOSE["networks"]["servers"]["internal"] is True
    outside = {name for name, service in SERVICES.items() if "outside" in service.get("networks", [])}
    assert outside == WITH_A_WAY_OUT


@pytest.mark.skipif(SCHEMA not in os.environ, reason=f"{SCHEMA} names the Compose specification's schema")
def test_the_file_is_valid_by_the_compose_specification() -> None:
    schema = json.loads(Path(os.environ[SCHEMA]).read_text(encoding="utf-8"))
    jsonschema.Draft202012Validator(schema).validate(COMPOSE)


def test_a_service_that_does_not_answer_is_not_ready() -> None:
    [port] = free_ports(1)
    assert f"port {port} does not answer" in (problem_of(port) or "")


def test_the_compiled_code_of_an_image_is_copied_to_where_numba_looks(tmp_path: Path) -> None:
    brought, used = tmp_path / "brought", tmp_path / "used"
    (brought / "run_1").mkdir(parents=True)
    (brought / "run_1" / "a.nbi").write_text("index")
    (used / "run_1").mkdir(parents=True)
    (used / "run_1" / "b.nbc").write_text("own")
    given = {"LUMINARY_COMPILED": str(brought), "NUMBA_CACHE_DIR": str(used)}
    copy_compiled_code(given)
    (used / "run_1" / "a.nbi").write_text("of this machine")
    copy_compiled_code(given)
    found = {file.name: file.read_text() for file in used.rglob("*") if file.is_file()}
    assert found == {"a.nbi": "of this machine", "b.nbc": "own"}
    copy_compiled_code({})
