"""A DVC remote on S3; needs dvc-s3 and moto, which are not in the requirements."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator

import pytest

from tests.clone import run

pytest.importorskip("moto.server", reason="pip install 'moto[server]' dvc-s3 runs these tests")
pytest.importorskip("dvc_s3")

TIMEOUT_S = 40.0
KEYS = {"AWS_ACCESS_KEY_ID": "key", "AWS_SECRET_ACCESS_KEY": "secret"}


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    """The address of an S3 server with a bucket `ssd`."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port = found.getsockname()[1]
    command = [sys.executable, "-m", "moto.server", "--host", "127.0.0.1", "--port", str(port)]
    server = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + TIMEOUT_S
        while not responds(port):
            assert server.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.1)
        address = f"http://127.0.0.1:{port}"
        make = (
            "import sys, boto3\n"
            "client = boto3.client('s3', endpoint_url=sys.argv[1], region_name='us-east-1')\n"
            "client.create_bucket(Bucket='ssd')\n"
        )
        subprocess.run([sys.executable, "-c", make, address], check=True, env=os.environ | KEYS)
        yield address
    finally:
        server.kill()
        server.wait()


def responds(port: int) -> bool:
    with socket.socket() as client:
        return client.connect_ex(("127.0.0.1", port)) == 0


@pytest.mark.slow
def test_files_pushed_to_s3_are_pulled_from_there(address, tmp_path):
    origin = tmp_path / "origin"
    origin.mkdir()
    (origin / "best.ckpt").write_bytes(bytes(range(256)) * 5000)
    run(origin, "git", "init", "--quiet")
    run(origin, "dvc", "init", "--quiet")
    run(origin, "dvc", "add", "--quiet", "best.ckpt")
    run(origin, "dvc", "remote", "add", "--quiet", "--default", "team", "s3://ssd/dvc")
    run(origin, "dvc", "remote", "modify", "team", "endpointurl", address)
    for name, value in (("access_key_id", "key"), ("secret_access_key", "secret")):
        run(origin, "dvc", "remote", "modify", "--local", "team", name, value)
    run(origin, "git", "add", ".")
    run(origin, "git", "commit", "--quiet", "--message", "Add the remote")
    assert "secret" not in run(origin, "git", "show", "HEAD")
    assert "1 file pushed" in run(origin, "dvc", "push")

    run(tmp_path, "git", "clone", "--quiet", str(origin), "clone")
    clone = tmp_path / "clone"
    run(clone, "dvc", "pull", "--quiet", **KEYS)
    assert (clone / "best.ckpt").read_bytes() == (origin / "best.ckpt").read_bytes()
