"""Ids, token grids, error codes, settings and secrets: small values with exact rules."""

import re
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr, ValidationError

from shared.ids import IdKind, MalformedIdError, format_id, id_pattern, parse_id
from shared.job_errors import JOB_ERRORS, JobErrorCode
from shared.security import generate_api_key, hash_api_key
from shared.settings import BrokerSettings, JobSettings
from shared.token_grid import TokenGrid, TokenGridError

# from valid.yml and invalid.yml of the TypeID specification 0.3.0; their prefix is not an IdKind
TYPEID_SUFFIXES = [
    ("00000000000000000000000000", "00000000-0000-0000-0000-000000000000"),
    ("00000000000000000000000001", "00000000-0000-0000-0000-000000000001"),
    ("0000000000000000000000000a", "00000000-0000-0000-0000-00000000000a"),
    ("0000000000000000000000000g", "00000000-0000-0000-0000-000000000010"),
    ("00000000000000000000000010", "00000000-0000-0000-0000-000000000020"),
    ("7zzzzzzzzzzzzzzzzzzzzzzzzz", "ffffffff-ffff-ffff-ffff-ffffffffffff"),
    ("0123456789abcdefghjkmnpqrs", "0110c853-1d09-52d8-d73e-1194e95b5f19"),
    ("01h455vb4pex5vsknk084sn02q", "01890a5d-ac96-774b-bcce-b302099a8057"),
]
NO_TYPEID_SUFFIXES = [
    "1234567890123456789012345",
    "123456789012345678901234567",
    "1234567890123456789012345 ",
    "0123456789ABCDEFGHJKMNPQRS",
    "123456789-123456789-123456",
    "ooooooiiiiiiuuuuuuulllllll",
    "i23456789ol23456789oi23456",
    "123456789-0123456789-0123456",
    "8zzzzzzzzzzzzzzzzzzzzzzzzz",
    "_00000000000000000000000000",
]


@pytest.mark.parametrize(("suffix", "uuid"), TYPEID_SUFFIXES)
def test_an_id_is_a_typeid(suffix: str, uuid: str) -> None:
    assert format_id(IdKind.JOB, UUID(uuid)) == f"job_{suffix}"
    assert parse_id(IdKind.JOB, f"job_{suffix}") == UUID(uuid)
    assert re.fullmatch(id_pattern(IdKind.JOB), f"job_{suffix}")


@pytest.mark.parametrize("suffix", NO_TYPEID_SUFFIXES)
def test_what_the_specification_refuses_is_no_id(suffix: str) -> None:
    with pytest.raises(MalformedIdError):
        parse_id(IdKind.JOB, f"job_{suffix}")
    assert not re.fullmatch(id_pattern(IdKind.JOB), f"job_{suffix}")


def test_every_prefix_is_one_of_a_typeid_and_ends_at_the_first_underscore() -> None:
    assert all(re.fullmatch("[a-z]{3,63}", kind.value) for kind in IdKind)


@given(st.uuids(), st.sampled_from(IdKind))
def test_an_id_reads_back_as_the_uuid_it_was_made_of(value: UUID, kind: IdKind) -> None:
    assert parse_id(kind, format_id(kind, value)) == value


@given(st.lists(st.uuids(), min_size=2))
def test_ids_sort_like_their_uuids(values: list[UUID]) -> None:
    ids = [format_id(IdKind.JOB, value) for value in values]
    assert sorted(ids) == [format_id(IdKind.JOB, value) for value in sorted(values)]


@pytest.mark.parametrize(
    "text",
    ["", "job_", "img_" + "0" * 26, "job_" + "0" * 25, "job_" + "z" * 26, "job_" + "i" * 26, "0" * 26],
)
def test_what_is_no_job_id_is_refused(text: str) -> None:
    with pytest.raises(MalformedIdError):
        parse_id(IdKind.JOB, text)


@given(st.integers(1, 12), st.integers(1, 12), st.data())
def test_a_token_grid_survives_its_compact_form(height: int, width: int, data: st.DataObject) -> None:
    codes = data.draw(st.lists(st.integers(0, 65_535), min_size=height * width, max_size=height * width))
    grid = TokenGrid(height, width, tuple(codes))
    assert TokenGrid.from_bytes(grid.to_bytes()) == grid
    assert TokenGrid.from_rows(grid.rows()) == grid


def test_the_hash_of_a_token_grid_is_fixed_for_ever() -> None:
    assert TokenGrid(1, 2, (1, 513)).to_bytes() == b"LTG1\x01\x00\x02\x00\x01\x00\x01\x02"
    assert TokenGrid(1, 2, (1, 513)).sha256() != TokenGrid(2, 1, (1, 513)).sha256()


@pytest.mark.parametrize("data", [b"", b"LTG1", b"LTG2" + bytes(4), b"LTG1\x01\x00\x01\x00", bytes(100)])
def test_bytes_that_are_no_token_grid_end_in_one_clear_error(data: bytes) -> None:
    with pytest.raises(TokenGridError):
        TokenGrid.from_bytes(data)


@pytest.mark.parametrize(
    ("height", "width", "tokens"), [(0, 1, ()), (1, 2, (1,)), (1, 1, (-1,)), (1, 1, (65_536,))]
)
def test_numbers_that_are_no_token_grid_are_refused(height: int, width: int, tokens: tuple[int, ...]) -> None:
    with pytest.raises(TokenGridError):
        TokenGrid(height, width, tokens)


def test_every_error_code_says_whether_a_retry_helps_and_what_to_do() -> None:
    assert set(JOB_ERRORS) == set(JobErrorCode)
    assert all(kind.hint.endswith(".") for kind in JOB_ERRORS.values())


def test_a_lease_must_outlast_several_heartbeats() -> None:
    with pytest.raises(ValidationError, match="three times"):
        JobSettings(lease_seconds=10, heartbeat_seconds=5)


def test_a_redis_broker_also_carries_events_and_another_broker_does_not() -> None:
    assert BrokerSettings(broker_url=SecretStr("redis://host/0")).redis_url is not None
    assert BrokerSettings(broker_url=SecretStr("amqp://host")).redis_url is None


def test_an_api_key_is_found_by_its_hash_and_not_shown_by_it() -> None:
    key = generate_api_key()
    assert hash_api_key(key.token) == key.sha256
    assert key.token.startswith(key.hint)
    assert len(key.token) > 40
