import json
from contextlib import ExitStack
from pathlib import Path

import pytest

from benchmarks.harness import write_params
from stages.download import main
from tests.coco_files import box, jpeg, write_coco
from tests.download.web_server import Server, serving
from tests.project import python
from tests.sources.archives import make_folder, make_zip

KILL = """
import hashlib, json, os, random, shutil, signal, sys, time
from pathlib import Path
import ssdcore.sources.coco2017, ssdcore.sources.fetch
from ssdcore.download import streams
from stages.download import main

OUT, CACHE = Path("data/raw"), Path(os.environ["XDG_CACHE_HOME"])
streams.WEB_PIECE = 4096
def start():
    child = os.fork()
    if child == 0:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        try:
            main(Path("params.yaml"))
        finally:
            os._exit(0 if OUT.exists() else 1)
    return child
def run():
    assert os.waitpid(start(), 0)[1] == 0
def contents():
    files = [p for folder in (OUT, CACHE) for p in folder.rglob("*") if p.is_file()]
    # a hash's file contains a time; a killed process leaves the note of who holds its lock
    stable = [p for p in files if not any(part in p.name for part in (".sha256.", "-download."))]
    return {str(p): hashlib.sha256(p.read_bytes()).hexdigest() for p in stable}
def clear():
    for folder in ("data", CACHE):
        shutil.rmtree(folder, ignore_errors=True)

began = time.perf_counter()
run()
took = time.perf_counter() - began
whole, moments, early, parts = contents(), random.Random(2), 0, 0
for _ in range(10):
    clear()
    child = start()
    time.sleep(moments.uniform(0, took))
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    early += not OUT.exists()
    parts += any(p.suffix == ".part" for p in CACHE.rglob(".*"))
    run()
    assert contents() == whole, contents()
left = sorted(p.name for p in OUT.parent.iterdir())
print(json.dumps({"early": early, "parts": parts, "files": sorted(whole), "left": left}))
"""


@pytest.fixture
def servers(tmp_path):
    """COCO's three archives in miniature, each on its own slow server."""
    annotations, archives = {}, {}
    for split, count in (("train", 5), ("val", 1)):
        names = [f"{n}.jpg" for n in range(count)]
        images = [
            {"id": n, "file_name": name, "height": 150, "width": 200}
            for n, name in enumerate(names)
        ]
        rows = [box(n, 1, [n, n, 50, 40]) for n in range(count)]
        listed = write_coco(tmp_path / f"{split}.json", images, rows)
        annotations[f"annotations/instances_{split}2017.json"] = listed.read_bytes()
        image_files = {name: jpeg(150, 200, n) for n, name in enumerate(names)}
        archives[f"{split}_images"] = make_zip(tmp_path / "x.zip", image_files).read_bytes()
    archives["annotations"] = make_zip(tmp_path / "x.zip", annotations).read_bytes()
    servers = {name: slow_server(body) for name, body in archives.items()}
    with ExitStack() as stack:
        for server in servers.values():
            stack.enter_context(serving(server))
        yield servers


def slow_server(body):
    server = Server()
    server.body, server.piece, server.pause_s = body, 4096, 0.01
    return server


@pytest.fixture
def folder(tmp_path, servers):
    work = tmp_path / "work"
    addresses = {name: server.address(f"{name}.zip") for name, server in servers.items()}
    archives = {f"dataset.coco2017.{name}": address for name, address in addresses.items()}
    write_params(work, {"dataset.name": "coco2017", **archives})
    return work


def test_a_killed_download_is_made_good(folder, servers):
    """Killed at ten moments; the children are forked, to import only once."""
    cache = str(folder.parent / "cache")
    done = python(folder, "-c", KILL, no_proxy="127.0.0.1", XDG_CACHE_HOME=cache)
    assert done.returncode == 0, done.stderr
    outcome = json.loads(done.stdout)
    assert outcome["early"] >= 3
    assert outcome["parts"] >= 1
    assert outcome["left"] == ["raw"]
    names = {Path(name).name for name in outcome["files"] if name.startswith("data/")}
    assert names == {"instances_train.json", "instances_val.json", "source.json"}
    assert max(servers["train_images"].starts) > 0


def test_the_images_are_counted_in_one_line(tmp_path, monkeypatch, capsys):
    keys = ("train_annotations", "train_images", "val_annotations", "val_images")
    local = {f"dataset.local.{key}": str(tmp_path / "set") for key in keys}
    write_params(tmp_path, {"dataset.name": "local", "dataset.local.format": "yolo", **local})
    label = "0 .5 .5 .1 .1"
    files = {"a.jpg": jpeg(), "a.txt": label, "b.jpg": jpeg(), "b.txt": label}
    files |= {"classes.txt": "cat", "lost.txt": ""}  # which convert reports
    make_folder(tmp_path / "set", files)
    monkeypatch.chdir(tmp_path)
    main(Path("params.yaml"))
    assert capsys.readouterr().out == "local: 1 train image, 1 val image → data/raw\n"
