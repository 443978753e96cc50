"""A model comes from the bucket into a folder: checked, at once, by one of several processes."""

import hashlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from infra.local.stack import EmbeddedStack
from infra.model_cache import COMPLETE, MANIFEST, ModelCacheError, fill, parse_manifest, source_of

FILES = {"config.json": b"{}", "movqgan/weights.bin": b"weights" * 9000, "tokenizer.json": b"[]"}


def sums(files: dict[str, bytes]) -> bytes:
    """The output of `sha256sum ./*`."""
    return "".join(f"{hashlib.sha256(data).hexdigest()}  ./{path}\n" for path, data in files.items()).encode()


@pytest.fixture
def address(stack: EmbeddedStack, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> str:
    for name, value in stack.environment.items():
        monkeypatch.setenv(name, value)
    address = f"s3://{stack.environment['S3_BUCKET']}/models/{tmp_path.name}"
    put(address, {**FILES, MANIFEST: sums(FILES)})
    return address


def put(address: str, files: dict[str, bytes]) -> None:
    source = source_of(address)
    for path, data in files.items():
        source.client.put_object(Bucket=source.bucket, Key=source.key(path), Body=data)


def contents(folder: Path) -> dict[str, bytes]:
    return {
        str(file.relative_to(folder)): file.read_bytes()
        for file in folder.rglob("*")
        if file.is_file() and file.name != COMPLETE
    }


def test_several_starts_share_one_download(address: str, tmp_path: Path) -> None:
    folder = tmp_path / "cache" / "model"
    with ThreadPoolExecutor(4) as starts:
        done = sorted(starts.map(lambda _: fill(address, folder, None, "*"), range(4)))
    assert done == [f"{folder} has 3 files, 3 of them downloaded now", *[f"{folder} is complete"] * 3]
    assert contents(folder) == FILES


def test_a_pinned_model_needs_no_bucket_once_it_is_there(address: str, tmp_path: Path) -> None:
    pinned = hashlib.sha256(sums(FILES)).hexdigest()
    fill(address, tmp_path / "model", pinned, "*")
    assert fill("s3://no-such-bucket/x", tmp_path / "model", pinned, "*").endswith("is complete")


def test_an_interrupted_download_goes_on_and_damage_is_refused(address: str, tmp_path: Path) -> None:
    put(address, {"tokenizer.json": b"damaged"})
    with pytest.raises(ModelCacheError, match=r"tokenizer\.json has the hash"):
        fill(address, tmp_path / "model", None, "*")
    assert not (tmp_path / "model").exists()

    put(address, {"tokenizer.json": FILES["tokenizer.json"]})
    assert fill(address, tmp_path / "model", None, "*").endswith("1 of them downloaded now")
    assert contents(tmp_path / "model") == FILES


def test_another_model_is_refused_by_its_pin_and_by_a_folder_in_use(address: str, tmp_path: Path) -> None:
    with pytest.raises(ModelCacheError, match="but MODEL_SHA256 is 00"):
        fill(address, tmp_path / "model", "00", "*")
    fill(address, tmp_path / "model", None, "*")
    put(address, {MANIFEST: sums({"config.json": b"new"})})
    with pytest.raises(ModelCacheError, match="give each version a folder of its own"):
        fill(address, tmp_path / "model", None, "*")
    assert contents(tmp_path / "model") == FILES


def test_the_tokenizer_fetches_its_own_part_alone(address: str, tmp_path: Path) -> None:
    fill(address, tmp_path / "model", None, "movqgan*")
    assert contents(tmp_path / "model") == {"movqgan/weights.bin": FILES["movqgan/weights.bin"]}
    with pytest.raises(ModelCacheError, match="matches nothing"):
        fill(address, tmp_path / "other", None, "nothing*")


@pytest.mark.parametrize(
    "line", ["", "no hash", f"{'0' * 64}  ../x", f"{'0' * 64}  /etc/x", f"{'0' * 63}  x"]
)
def test_a_manifest_that_leads_out_of_the_folder_or_has_no_hashes_is_refused(line: str) -> None:
    with pytest.raises(ModelCacheError, match=MANIFEST):
        parse_manifest(line)


def test_faults_are_one_line(address: str, tmp_path: Path) -> None:
    with pytest.raises(ModelCacheError, match="is not an address like s3://bucket/folder"):
        fill("models/lumina", tmp_path / "model", None, "*")
    with pytest.raises(ModelCacheError, match="specified key does not exist") as missing:
        fill(f"{address}/nowhere", tmp_path / "model", None, "*")
    assert "\n" not in str(missing.value)
