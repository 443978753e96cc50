"""`luminary mcp`: headers, pictures named by their path, and a platform that does not answer."""

import asyncio
from pathlib import Path

import httpx2
import pytest
from mcp_types import JSONRPCNotification, JSONRPCRequest

from luminary.remote.local_pictures import local_file, local_files, read_picture
from luminary.remote.mcp_bridge import as_json_rpc, headers_of
from tests.support.command_line import Run

VERSION = {"io.modelcontextprotocol/protocolVersion": "2026-07-28"}


def request(method: str, **params: object) -> JSONRPCRequest:
    return JSONRPCRequest(jsonrpc="2.0", id=1, method=method, params=params)


def test_the_agreed_version_goes_with_every_message_but_the_first() -> None:
    agreed = {"mcp-protocol-version": "2025-11-25"}
    assert headers_of(request("initialize"), "2025-11-25") == {}
    assert headers_of(request("tools/list"), None) == {}
    assert headers_of(request("tools/list"), "2025-11-25") == agreed
    note = JSONRPCNotification(jsonrpc="2.0", method="notifications/initialized")
    assert headers_of(note, "2025-11-25") == agreed


@pytest.mark.parametrize(
    ("method", "params", "name"),
    [
        ("tools/call", {"name": "edit"}, "edit"),
        ("tasks/get", {"taskId": "job_x"}, "job_x"),
        ("resources/read", {"uri": "luminary://images/é"}, "=?base64?bHVtaW5hcnk6Ly9pbWFnZXMvw6k=?="),
        ("tools/list", {}, None),
    ],
)
def test_a_message_with_its_own_version_has_method_and_name(
    method: str, params: dict[str, object], name: str | None
) -> None:
    headers = headers_of(request(method, **params, _meta=VERSION), None)
    named = {} if name is None else {"mcp-name": name}
    assert headers == {"mcp-protocol-version": "2026-07-28", "mcp-method": method, **named}


@pytest.mark.parametrize(
    ("given", "path"),
    [
        ("/home/ada/boat.png", Path("/home/ada/boat.png")),
        ("~/boat.png", Path.home() / "boat.png"),
        ("./boat.png", Path("boat.png")),
        ("file:///home/ada/my%20boat.png", Path("/home/ada/my boat.png")),
        ("C:\\boat.png", Path("C:\\boat.png")),
        ("img_06bq5w3t8wxk9f4m2r7n1c0d5e", None),
        ("https://example.org/boat.png", None),
        ("data:image/png;base64,iVBORw0KGgo=", None),
        ("/" + "9" * 5000, None),
        (None, None),
        (7, None),
    ],
)
def test_a_path_is_told_from_other_pictures(given: object, path: Path | None) -> None:
    assert local_file(given) == path


def test_only_tool_calls_name_files() -> None:
    named = {"name": "edit", "arguments": {"image": "/a.png", "mask": "./b.png", "prompt": "/c"}}
    assert local_files(request("tools/call", **named)) == {"image": Path("/a.png"), "mask": Path("b.png")}
    assert local_files(request("tools/call", name="edit", arguments=["/a.png"])) == {}
    assert local_files(request("prompts/get", **named)) == {}


def test_a_file_that_does_not_begin_as_a_picture_is_not_sent(tmp_path: Path) -> None:
    secret = tmp_path / "key"
    secret.write_text("secret")
    with pytest.raises(OSError, match="is not a PNG"):
        read_picture(secret)
    with pytest.raises(OSError, match="cannot be read: No such file"):
        read_picture(tmp_path / "none")


def test_a_platform_that_does_not_answer_is_an_error_of_the_protocol() -> None:
    async def ask() -> httpx2.Response:
        transport = as_json_rpc(httpx2.AsyncHTTPTransport())
        async with httpx2.AsyncClient(transport=transport) as client:
            return await client.post("http://127.0.0.1:1/mcp", json={})

    answer = asyncio.run(ask())
    assert answer.status_code == 503
    assert answer.json()["error"]["message"].startswith("The platform does not answer: ")


def test_a_wrong_address_is_reported_in_one_line(
    luminary: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("LUMINARY_URL", "http://127.0.0.1:1")
    monkeypatch.setenv("LUMINARY_API_KEY", "lum_x")
    assert luminary("mcp", "--data", tmp_path) == 1
    assert capsys.readouterr().err.startswith("luminary: http://127.0.0.1:1 does not answer: ")
