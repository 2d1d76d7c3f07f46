"""A team's remote: everything one clone made, through an S3 bucket, into another."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator

import pytest

from .workspace import Clone

BUCKET = "team"


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The address of an S3 server on this machine that has an empty bucket."""
    import boto3
    from moto.server import ThreadedMotoServer

    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    address = f"http://{host}:{port}"
    boto3.client("s3", endpoint_url=address).create_bucket(Bucket=BUCKET)
    yield address
    server.stop()


def test_three_lines_share_everything_through_s3(clone: Clone, fresh_clone: Callable[[Clone, str], Clone], bucket: str) -> None:
    clone.dvc("remote", "add", "-d", "team", f"s3://{BUCKET}/snow")
    clone.dvc("remote", "modify", "team", "endpointurl", bucket)  # not needed for Amazon's
    clone.git("commit", "-qam", "a remote")
    clone.dvc("push", "--run-cache")
    restored = fresh_clone(clone, "restored")
    restored.dvc("fetch", "--run-cache")
    pulled = restored.copy(restored.path.with_name("pulled"))  # what a pull fetches is there but for some of it
    for folder in (pulled.path / ".dvc/cache/files/md5").glob("a*"):
        shutil.rmtree(folder)
    pulled.dvc("pull")
    assert pulled.contents() == clone.contents()
    assert pulled.nothing_to_do()
    restored.snakemake("all")
    assert restored.executed() == set()
    assert restored.contents() == clone.contents()
