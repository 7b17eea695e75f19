"""The exponential moving average (EMA) of the weights, which is evaluated and saved."""

import mindspore as ms
from mindspore import Parameter, ParameterTuple, Tensor, nn, ops

from ssdcore.models.ssd import SSD

TRAINED = "trained."
"""Prefix of the trained network's parameters, so the average has the plain names."""


class WeightAverage(nn.Cell):
    """Keeps a second network at the moving average of a trained one.

    After update t (from 1) each value of the average is a ← a + (1 - d)·(w - a) with
    d = min(decay, (1 + t) / (10 + t)). The ramp discounts the initial weights, as in
    TensorFlow's ExponentialMovingAverage. The statistics of batch norm are averaged like the
    weights. In the long run it is an average over about 1 / (1 - d) updates.

    The optimiser updates `trained`, whose parameters are renamed; `kept` is an equal network, which
    receives its weights, then their average.
    """

    def __init__(self, trained: SSD, kept: SSD, decay: float) -> None:
        super().__init__(auto_prefix=False)
        trained.update_parameters_name(TRAINED)
        self.weights = _values(trained)
        self.averages = _values(kept)
        self.decay = decay
        self.updates = Parameter(Tensor(0.0), name="average.updates", requires_grad=False)
        for average, weight in zip(self.averages, self.weights, strict=True):
            average.set_data(weight.value())

    def construct(self) -> None:
        """Adds the trained network's present weights to the average."""
        ops.assign_add(self.updates, Tensor(1.0))
        decay = ops.minimum(self.decay, (1 + self.updates) / (10 + self.updates))
        for i in range(len(self.weights)):
            average, weight = self.averages[i], self.weights[i]
            ops.assign_add(average, (1 - decay) * (weight - average))  # nothing if they are equal


def _values(network: SSD) -> ParameterTuple:
    """Returns the averaged parameters: weights and statistics, no counters."""
    return ParameterTuple([p for p in network.get_parameters() if p.dtype == ms.float32])
