import numpy as np
from mindspore import Tensor

from ssdcore.data.preprocess import to_network_input
from ssdcore.models.layers import CaffeInput


def test_caffe_input_is_the_image_less_caffes_mean(rng):
    rgb = rng.integers(0, 256, (300, 300, 3), np.uint8)
    converted = CaffeInput()(Tensor(to_network_input(rgb)[None])).asnumpy()[0]
    by_hand = rgb.transpose(2, 0, 1) - np.array([123.0, 117.0, 104.0]).reshape(3, 1, 1)
    np.testing.assert_allclose(converted, by_hand, atol=1e-3)
