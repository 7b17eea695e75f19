import mindspore as ms
import numpy as np
import pytest

from ssdcore.models.device import seed_all
from ssdcore.models.losses import DetectionLoss, MultiboxLoss
from ssdcore.training.ema import TRAINED, WeightAverage
from ssdcore.training.optimizer import Update, make_loss_scaler, make_optimizer
from ssdcore.training.step import TrainingStep
from tests.training.tiny import TinyDetector, tiny_batch

RATE, CLIP_NORM = 0.05, 1.0
HUGE = 2.0**127
"""A loss scale at which gradients over 2 overflow float32."""
PLAIN = {"norm": False}
DYNAMIC = {**PLAIN, "scale": "dynamic", "decay": 0.2}
AVERAGED = {"decay": 0.2}
"""Settings of benches that several tests share: to compile a step takes seconds."""


def values(network, *, trained_only=False):
    parameters = network.trainable_params() if trained_only else network.get_parameters()
    return {p.name.removeprefix(TRAINED): p.asnumpy().copy() for p in parameters}


def assert_equal(one, other):
    assert one.keys() == other.keys()
    for name, value in one.items():
        np.testing.assert_array_equal(value, other[name], err_msg=name)


class Bench:
    """A tiny network under a step; equal settings give equal networks."""

    def __init__(
        self, *, scale=1.0, decay=0.0, accumulate=1, amp="O0", norm=True, compiled=True,
        clip_norm=CLIP_NORM, most=0.0,
    ):  # fmt: skip
        seed_all(2)
        self.network = self.kept = TinyDetector(norm)
        average = None
        if decay:
            self.kept = TinyDetector(norm)
            average = WeightAverage(self.network, self.kept, decay)
        computed = self.network
        if amp != "O0":
            computed = ms.amp.auto_mixed_precision(self.network, amp)
        rates = np.full(50, RATE, np.float32)
        parameters = self.network.trainable_params()
        self.optimizer = make_optimizer("momentum", parameters, rates, 0.9, 0.0)
        self.scaler = make_loss_scaler(scale)
        update = Update(self.optimizer, self.scaler, clip_norm, average, most)
        loss = DetectionLoss(MultiboxLoss(2))
        self.step = TrainingStep(computed, loss, update, accumulate, compiled=compiled)
        self.initial = {name: p.asnumpy().copy() for name, p in self.step.state.items()}

    def set_scale(self, scale):
        ms.ops.assign(self.scaler.scale_value, ms.Tensor(scale))


MADE: dict[str, Bench] = {}


def bench_of(**settings) -> Bench:
    """A bench at its start. Equal settings share one."""
    key = repr(sorted(settings.items()))
    if key not in MADE:
        MADE[key] = Bench(**settings)
        return MADE[key]
    for name, value in MADE[key].initial.items():
        ms.ops.assign(MADE[key].step.state[name], ms.Tensor(value))
    return MADE[key]


@pytest.fixture
def batches(rng):
    """Four batches of two images, one of them without objects."""
    return [tiny_batch(2, positives, rng) for positives in (4, 1, 0, 3)]


@pytest.mark.parametrize(("settings", "scale"), [(PLAIN, 1024.0), (DYNAMIC, 2.0**16)])
def test_a_scaled_update_equals_an_unscaled_one(batches, settings, scale):
    """The reference divided the gradients by a scale that it had not multiplied the loss by.

    The moving average, which the dynamic one has, takes no part in the training.
    """
    plain = bench_of(**PLAIN)
    before = values(plain.network)
    expected = [plain.step([batch]) for batch in batches]
    after = values(plain.network)
    assert all((after[name] != before[name]).any() for name in before)
    scaled = bench_of(**settings)
    scaled.set_scale(scale)
    got = [scaled.step([batch]) for batch in batches]
    assert got == [outcome._replace(loss_scale=scale) for outcome in expected]
    assert_equal(values(scaled.network), after)


def test_without_a_graph_it_takes_about_the_same_step(batches):
    compiled, plain = bench_of(**AVERAGED), bench_of(**AVERAGED, compiled=False)
    before = values(compiled.network)
    expected, got = compiled.step(batches[:1]), plain.step(batches[:1])
    assert got.total == pytest.approx(expected.total, rel=1e-5)
    for name, value in values(compiled.network).items():
        found = values(plain.network)[name]
        assert (value != before[name]).any()
        np.testing.assert_allclose(found, value, rtol=1e-4, atol=1e-6)


def test_gradients_over_the_norm_are_scaled_down_to_it(batches):
    """The first step is rate times gradient, of norm 1 at most."""
    bench = bench_of(**PLAIN)
    before = values(bench.network)
    outcome = bench.step([loud(batches[0])])
    after = values(bench.network)
    squares = [np.square(after[name] - before[name]).sum() for name in before]
    assert np.sqrt(sum(squares)) == pytest.approx(RATE * CLIP_NORM, rel=1e-3)
    assert outcome.gradient_norm > 10 * CLIP_NORM


def loud(batch):
    """Gives the batch gradients far over 2, by images of large values."""
    return batch._replace(images=batch.images * 1e4)


def test_an_overflow_skips_the_step_and_halves_a_dynamic_scale(batches):
    bench = bench_of(**DYNAMIC)
    assert bench.step(batches[:1]).loss_scale == 2**16
    bench.set_scale(HUGE)
    trained, kept = values(bench.network, trained_only=True), values(bench.kept)
    moments = [p.asnumpy().copy() for p in bench.optimizer.moments]
    outcome = bench.step([loud(batches[1])])
    assert outcome[2:5] == (False, HUGE / 2, True)
    assert np.isfinite(outcome.total)
    assert_equal(values(bench.network, trained_only=True), trained)
    assert_equal(values(bench.kept), kept)
    for moment, parameter in zip(moments, bench.optimizer.moments, strict=True):
        np.testing.assert_array_equal(parameter.asnumpy(), moment)
    assert int(bench.optimizer.global_step.asnumpy()[0]) == 1
    bench.set_scale(1024.0)
    assert bench.step(batches[1:2])[2:5] == (True, 1024.0, False)


def test_steps_launched_in_a_row_equal_those_that_wait(batches):
    """Also around an overflow, whose scale is that of its own time."""

    def at_start():
        bench = bench_of(**DYNAMIC)
        bench.set_scale(HUGE / 4)
        return bench

    some, one = [loud(batches[0]), *batches], at_start()
    expected = [one.step([batch]) for batch in some]
    after, row = values(one.network), at_start()
    launched = [row.step.launch([batch]) for batch in some]
    assert repr([outcome() for outcome in launched]) == repr(expected)  # a norm is NaN
    assert {outcome.updated for outcome in expected} == {False, True}
    assert_equal(values(row.network), after)


def test_a_fixed_scale_stays_at_an_overflow(batches):
    bench = bench_of(**PLAIN)
    bench.set_scale(HUGE)
    before = values(bench.network, trained_only=True)
    assert bench.step([loud(batches[0])])[2:5] == (False, HUGE, False)
    assert_equal(values(bench.network, trained_only=True), before)


def test_accumulated_batches_equal_one_large_batch(batches):
    """Without batch norm, whose statistics are of a batch."""
    large = type(batches[0])(*map(np.concatenate, zip(*batches, strict=True)))
    one = bench_of(**PLAIN, compiled=False)  # a graph would be compiled for this batch alone
    several = bench_of(**PLAIN, accumulate=4, scale="dynamic")
    for _ in range(2):  # the second step needs the sums to be zero again
        expected, got = one.step([large]), several.step(batches)
        assert got[:2] == pytest.approx(expected[:2], rel=1e-5)
    after = values(one.network)
    for name, value in values(several.network).items():
        np.testing.assert_allclose(value, after[name], rtol=1e-4, atol=1e-6, err_msg=name)


def test_an_overflow_in_one_of_several_batches_skips_them_all(batches):
    bench = bench_of(**PLAIN, accumulate=4, scale="dynamic")
    broken = batches[0]._replace(images=np.full_like(batches[0].images, 1e36))
    before = values(bench.network)
    assert not bench.step([broken, *batches[1:]]).updated
    assert_equal(values(bench.network), before)
    assert bench.step(batches).updated


def test_the_average_follows_weights_and_statistics(batches):
    bench, decay = bench_of(**AVERAGED), AVERAGED["decay"]
    expected = values(bench.kept)
    assert_equal(expected, values(bench.network))
    for count, batch in enumerate(batches, 1):
        bench.step([batch])
        d = min(decay, (1 + count) / (10 + count))
        for name, weight in values(bench.network).items():
            expected[name] = d * expected[name] + (1 - d) * weight
    for name, value in values(bench.kept).items():
        np.testing.assert_allclose(value, expected[name], rtol=1e-5, atol=1e-6, err_msg=name)
        assert (value != values(bench.network)[name]).any()


def test_mixed_precision_takes_about_the_same_step(batches):
    exact = bench_of(**AVERAGED)
    halves = [bench_of(amp=amp, scale=1024.0) for amp in ("O2", "O3")]
    for batch in batches:
        expected = exact.step([batch])
        for outcome in (mixed.step([batch]) for mixed in halves):
            assert outcome.total == pytest.approx(expected.total, rel=0.03)
            assert (outcome.updated, outcome.loss_scale) == (True, 1024.0)
    after = values(exact.network)
    for mixed in halves:
        for name, value in values(mixed.network).items():
            assert value.dtype == np.float32
            np.testing.assert_allclose(value, after[name], atol=0.03, err_msg=name)
        assert (values(mixed.network)["conv.weight"] != after["conv.weight"]).any()


def test_a_channels_gradient_is_bounded_by_its_root_mean_square(batches):
    """The first step is rate times gradient, whose norm is reported."""
    most = 0.02
    plain, bounded = bench_of(**PLAIN), bench_of(**PLAIN, clip_norm=1e9, most=most)
    before = values(plain.network)
    norms = [bench.step(batches[:1]).gradient_norm for bench in (plain, bounded)]
    unclipped = max(1, norms[0] / CLIP_NORM)
    steps = [
        {name: (value - before[name]) * factor for name, value in values(bench.network).items()}
        for bench, factor in ((plain, unclipped), (bounded, 1))
    ]
    squares = sum(np.square(step).sum() for step in steps[0].values())
    assert norms == pytest.approx([np.sqrt(squares) / RATE] * 2, rel=1e-3)
    shortened = []
    for name, start in before.items():
        shape = (1, -1) if start.ndim == 1 else (len(start), -1)
        free, found = (step[name].reshape(shape) for step in steps)
        for step, value in zip(free, found, strict=True):
            size = np.sqrt(np.mean(np.square(step)))
            expected = step * min(1, RATE * most / max(size, 1e-12))
            np.testing.assert_allclose(value, expected, rtol=1e-3, atol=1e-6, err_msg=name)
            shortened.append(size > RATE * most)
    assert any(shortened)
    assert not all(shortened)
