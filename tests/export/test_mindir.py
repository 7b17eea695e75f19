import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from mindspore.train.mind_ir_pb2 import ModelProto

from ssdcore.export.mindir import MindirNetwork, save_mindir
from ssdcore.inference.detector import Detector
from ssdcore.models.checkpoint import build_network
from ssdcore.models.metadata import ModelMetadata


def read_texts(path):
    """Returns the metadata of a MINDIR file."""
    model = ModelProto()
    model.ParseFromString(path.read_bytes())
    return {entry.key: entry.value for entry in model.user_info}


@pytest.mark.usefixtures("uncompiled")
def test_a_file_equals_the_network_for_any_batch(model_512, tmp_path, rng):
    """Of SSD512 with focal loss; test_write.py has SSD300 with multibox loss."""
    network = build_network(model_512, 2, "focal")
    side = network.input_size
    images = rng.normal(size=(3, 3, side, side)).astype(np.float32)
    expected = Detector(network, ModelMetadata(model_512, (), "focal", 0), batch_size=3).answers(
        images
    )
    texts = {"classes": '["café"]', "empty": ""}
    save_mindir(tmp_path / "a.mindir", network, "focal", texts)
    assert read_texts(tmp_path / "a.mindir") == texts
    assert [path.name for path in tmp_path.iterdir()] == ["a.mindir"]
    again = MindirNetwork(tmp_path / "a.mindir")
    for batch in (3, 1):
        for a, b in zip(again.answers(images[:batch]), expected, strict=True):
            np.testing.assert_allclose(a, b[:batch], atol=1e-5)


SAVE = """
import sys
from pathlib import Path
from ssdcore.export.mindir import save_mindir
from ssdcore.models.checkpoint import build_network
from ssdcore.models.metadata import ModelMetadata
from ssdcore.models.device import configure, seed_all
from ssdcore.params.reader import read_params

configure("CPU")
seed_all(1)
model = read_params(Path("params.yaml")).model.model_copy(update={"width": 0.02})
save_mindir(Path(sys.argv[1]), build_network(model, 2, "focal"), "focal", {"a": "b"})
"""


def test_two_processes_write_the_same_bytes(tmp_path):
    paths = [tmp_path / name for name in ("a.mindir", "b.mindir")]
    saving = [
        subprocess.Popen([sys.executable, "-c", SAVE, path], cwd=Path(__file__).parents[2])
        for path in paths
    ]
    assert [process.wait() for process in saving] == [0, 0]
    first, second = (path.read_bytes() for path in paths)
    assert first == second
