import sys
from contextlib import nullcontext
from pathlib import Path

import pytest
from pydantic import ValidationError

from ssdcore.core.errors import InputError
from ssdcore.params.reader import read_params

ROOT = Path(__file__).parents[2]
DEFAULTS = ROOT / "params.yaml"


def edited(tmp_path: Path, old: str, new: str) -> Path:
    """Writes the default parameters with one line changed."""
    text = DEFAULTS.read_text(encoding="utf-8")
    assert text.count(old) >= 1, old
    path = tmp_path / "params.yaml"
    path.write_text(text.replace(old, new, 1), encoding="utf-8")
    return path


def test_defaults_are_valid_and_frozen():
    params = read_params(DEFAULTS)
    assert params.model.default_box_scales[-1] == 1.0
    with pytest.raises(ValidationError):
        params.train.epochs = 3


def test_defaults_are_in_block_style():
    lines = [line.partition("#")[0] for line in DEFAULTS.read_text(encoding="utf-8").splitlines()]
    assert not any(bracket in line for line in lines for bracket in "[]{}")


@pytest.mark.parametrize(
    ("old", "new", "key", "found", "hint"),
    [
        ("lr_max: 0.1", "lr_max: abc", "train.lr_max", "'abc'", "a number"),
        ("lr_max: 0.1", "lr_max: .nan", "train.lr_max", "nan", "finite"),
        ("lr_max: 0.1", "lr_max: -1", "train.lr_max", "-1", "greater than 0"),
        ("lr_max:", "lrmax:", "train.lrmax", "0.1", "did you mean lr_max?"),
        ("epochs: ", "epochs: 2.5 #", "train.epochs", "2.5", "a whole number"),
        ("name: shapes", "name: shape", "dataset.name", "'shape'", "did you mean shapes?"),
        ("flip: 0.5", "flip: 1.5", "train.augment.flip", "1.5", "less than or equal to 1"),
        ("flip: 0.5", "flip: no", "train.augment.flip", "'no'", "a number"),
        ("batch_norm: true", "batch_norm: 1", "model.batch_norm", "1", "true or false"),
        ("runtime:", "runtme:", "runtme", "'device'", "did you mean runtime?"),
        ("lr_init: 0.001", "lr_init: 0.3", "train.lr_init", "0.3", "at most lr_max (0.1)"),
        ("    - 0.1\n", "", "model.default_box_scales", "0.27", "7 values with input_size 300"),
        ("    - 0.1\n", "    - 0.3\n", "model.default_box_scales", "0.3", "grow"),
        ("input_size: 300", "input_size: 512", "model.default_box_scales", "0.1, 0.27", "8 values"),
        ("max_side: null", "max_side: 200", "convert.max_side", "200", "model.input_size (300)"),
        ("input_size: 300", "input_size: 300.0", "model.input_size", "300.0", "300 or 512"),
        ("min_negatives: 40", "min_negatives: 8733", "train.min_negatives", "8733", "most 8732"),
        ("loss_scale: 1.0", "loss_scale: abc", "train.loss_scale", "'abc'", "dynamic or a number"),
        ("loss_scale: 1.0", "loss_scale: 0.5", "train.loss_scale", "0.5", "at least 1"),
        ("loss_scale: 1.0", "loss_scale: true", "train.loss_scale", "True", "dynamic or a number"),
        ("ratios: null", "ratios: [[2]]", "model.aspect_ratios", "[[2.0]]", "6 lists"),
        ("ratios: null", "ratios: [[2, 2], [], [], [], [], []]", "model.aspect_ratios",
         "[2.0, 2.0]", "different"),
        ("ratios: null", "ratios: [[0.5], [], [], [], [], []]", "model.aspect_ratios.0.0",
         "0.5", "greater than 1"),
        ("freeze: none", "freeze: conv5", "train.freeze", "'conv5'", "'conv1', 'conv4' or 'back"),
        ("pretrained: null", "pretrained: ''", "model.pretrained", "''", "at least 1 character"),
        ("  enabled: true\n  experiment: ssd300\n  images: 4", "", "tracking", "None",
         "a section with its keys"),
    ],
)  # fmt: skip
def test_a_mistake_is_named(tmp_path, old, new, key, found, hint):
    with pytest.raises(InputError) as error:
        read_params(edited(tmp_path, old, new))
    message = str(error.value)
    assert f"params.yaml: {key}: found" in message
    assert found in message
    assert hint in message
    assert "\n" not in message


def test_a_warm_up_ends_before_the_rate_steps_down(tmp_path):
    text = DEFAULTS.read_text(encoding="utf-8").replace("schedule: cosine", "schedule: steps")
    path = tmp_path / "params.yaml"
    path.write_text(text.replace("warmup_epochs: 0.5", "warmup_epochs: 4"))
    with pytest.raises(InputError, match=r"warmup_epochs: found 4\.0, expected at most 2/3"):
        read_params(path)


@pytest.mark.parametrize(
    ("head", "batch_norm", "refused"),
    [("conv", "true", True), ("separable", "false", True), ("conv", "false", False)],
)
def test_batch_norm_needs_several_images(tmp_path, head, batch_norm, refused):
    text = DEFAULTS.read_text(encoding="utf-8").replace("  batch_size: 4", "  batch_size: 1", 1)
    text = text.replace("batch_norm: true", f"batch_norm: {batch_norm}")
    path = tmp_path / "params.yaml"
    path.write_text(text.replace("head: conv", f"head: {head}"))
    message = r"train\.batch_size: found 1, expected 2 or more"
    with pytest.raises(InputError, match=message) if refused else nullcontext():
        read_params(path)


def test_a_parameter_of_an_earlier_version_counts_under_its_present_name(tmp_path, capsys):
    path = edited(tmp_path, "  parity_images: 100", "  parity_pictures: 7")
    assert read_params(path).export.parity_images == 7
    assert (
        capsys.readouterr().err == f"{path}: export.parity_pictures is now export.parity_images.\n"
    )


def test_the_present_name_counts_where_both_are_set(tmp_path, capsys):
    path = edited(tmp_path, "  parity_images: 100", "  parity_images: 9\n  parity_pictures: 7")
    assert read_params(path).export.parity_images == 9
    assert "export.parity_images, which is set too and counts." in capsys.readouterr().err


def test_a_training_starts_from_one_file(tmp_path):
    both = edited(tmp_path, "pretrained: null", "pretrained: vgg16.safetensors")
    both.write_text(both.read_text().replace("init_from: null", "init_from: best.ckpt"))
    with pytest.raises(
        InputError, match=r"yaml: train\.init_from: found 'best.ckpt', expected null"
    ):
        read_params(both)


def test_no_epochs_pass_a_start_on(tmp_path):
    """The warm-up, which may not be longer than the training, then has no meaning."""
    none = edited(tmp_path, "  epochs: 5", "  epochs: 0")
    with pytest.raises(
        InputError, match=r"epochs: found 0, expected 1 or more, or train\.init_from"
    ):
        read_params(none)
    none.write_text(none.read_text().replace("init_from: null", "init_from: best.ckpt"))
    assert read_params(none).train.epochs == 0


@pytest.mark.parametrize(("text", "value"), [("dynamic", "dynamic"), ("1024", 1024.0)])
def test_the_loss_scale_is_a_number_or_dynamic(tmp_path, text, value):
    params = read_params(edited(tmp_path, "loss_scale: 1.0", f"loss_scale: {text}"))
    assert params.train.loss_scale == value


def test_a_missing_key_is_named(tmp_path):
    with pytest.raises(InputError, match=r"train\.clip_norm: found None, expected a value"):
        read_params(edited(tmp_path, "  clip_norm: 10.0", "  #"))


def test_exponents_without_a_point_are_numbers(tmp_path):
    """DVC writes 1e-06; YAML 1.1 would read it as a string."""
    assert read_params(edited(tmp_path, "lr_init: 0.001", "lr_init: 1e-06")).train.lr_init == 1e-6


def test_a_format_like_no_other_gets_no_guess(tmp_path):
    with pytest.raises(InputError, match=r"local\.format: found 'roboflow'") as error:
        read_params(edited(tmp_path, "format: auto", "format: roboflow"))
    assert "did you mean" not in str(error.value)


@pytest.mark.parametrize(
    ("content", "hint"),
    [
        ("train: [", r"valid YAML 1\.2\. Correct this line; .* needs single quotes"),
        ("- 1", "a section for each of dataset"),
        ("", "a section for each of dataset"),
        ("a: 1\na: 2", "valid YAML"),
    ],
)
def test_a_file_without_a_mapping_is_refused(tmp_path, content, hint):
    path = tmp_path / "params.yaml"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(InputError, match=hint):
        read_params(path)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(InputError, match="--params FILE"):
        read_params(tmp_path / "none.yaml")


@pytest.fixture
def usual_depth():
    """Python's own limit; a tool may have raised it."""
    limit = sys.getrecursionlimit()
    sys.setrecursionlimit(1000)
    yield
    sys.setrecursionlimit(limit)


@pytest.mark.usefixtures("usual_depth")
def test_nested_brackets_are_one_message(tmp_path):
    path = edited(tmp_path, "runtime:", f"deep: {'[' * 600}{']' * 600}\nruntime:")
    with pytest.raises(
        InputError, match="found 'hundreds of nested brackets', expected valid YAML"
    ):
        read_params(path)


def test_anchors_that_multiply_are_one_short_message(tmp_path):
    """Ten lists of ten: written out, the last has ten thousand million elements."""
    anchors = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    for level in range(1, 10):
        anchors.append(f"a{level}: &a{level} [{', '.join([f'*a{level - 1}'] * 10)}]")
    sections = "\n".join(f"  {line}" for line in anchors)
    path = edited(tmp_path, "  epochs: 5", "  epochs: *a9")
    text = path.read_text(encoding="utf-8")
    path.write_text(f"report_: \n{sections}\n{text}", encoding="utf-8")
    with pytest.raises(InputError) as error:
        read_params(path)
    assert "expected a known key (did you mean report?)" in str(error.value)
    assert len(str(error.value)) < 800
