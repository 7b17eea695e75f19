import numpy as np

from ssdcore.training.schedule import learning_rates


def test_equals_the_reference(golden):
    rates = learning_rates(9, 60, 2, 1e-3, 5e-2, 5e-5)
    np.testing.assert_allclose(rates, golden["lr_60x9_warmup2_init1e-3_max5e-2_end5e-5"], rtol=1e-6)
    assert rates.dtype == np.float32


def test_warmup_may_fill_the_whole_training():
    rates = learning_rates(4, 1, 1, 0.0, 1.0, 0.0)
    np.testing.assert_allclose(rates, [0, 0.25, 0.5, 0.75])


def test_steps_divide_the_rate_by_ten_at_epochs_80_and_110_of_120():
    rates = learning_rates(3, 120, 0, 0.0, 1.0, 0.0, "steps")
    np.testing.assert_allclose(rates[[0, 239, 240, 329, 330, 359]], [1, 1, 0.1, 0.1, 0.01, 0.01])


def test_steps_follow_the_warm_up_and_end_at_the_lowest_rate():
    rates = learning_rates(1, 12, 2, 0.0, 1.0, 0.05, "steps")
    np.testing.assert_allclose(rates, [0, 0.5, *[1] * 6, *[0.1] * 3, 0.05])
