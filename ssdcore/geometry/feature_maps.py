"""The feature maps of SSD300 and SSD512 (Liu et al., ECCV 2016, figure 2 and section 3.3).

This is the one description of a network's maps. The default boxes, the extra blocks, the heads
and the order of their outputs, the exported files and the checks of parameters follow from it.
"""

from collections.abc import Sequence
from typing import NamedTuple

IMAGE_SIZE = 300
"""Height and width of the network's input in pixels, where nothing else is said."""


class Extra(NamedTuple):
    """An extra block: a 1×1 convolution, and the one after it, which computes the next map."""

    reduced: int  # channels of the 1×1 convolution
    channels: int  # channels of the map
    kernel_size: int  # side of the second kernel
    stride: int  # of the second convolution
    padding: int  # zeros on each side of the map before


class FeatureMap(NamedTuple):
    """A feature map with heads."""

    size: int  # cells per side
    stride: int  # distance between the centres of two cells in input pixels
    aspect_ratios: tuple[float, ...]  # besides 1; each gives a box w:h = r and its transpose
    extra: Extra | None = None  # computes the map from the one before; None: only a backbone can

    @property
    def boxes_per_cell(self) -> int:
        """Default boxes per cell: two squares and a pair for each ratio."""
        return 2 + 2 * len(self.aspect_ratios)

    @property
    def num_boxes(self) -> int:
        """Default boxes of all cells."""
        return self.size**2 * self.boxes_per_cell


class MapLayout(NamedTuple):
    """The maps of a network, finest first."""

    input_size: int  # height and width of the network's input in pixels
    maps: tuple[FeatureMap, ...]  # in the order of the default boxes
    coco_scales: tuple[float, ...]  # the paper's for COCO (section 3.4), fractions of the image
    voc_scales: tuple[float, ...]  # its scales for PASCAL VOC

    @property
    def num_default_boxes(self) -> int:
        """K, the default boxes of all maps."""
        return sum(feature_map.num_boxes for feature_map in self.maps)

    @property
    def num_scales(self) -> int:
        """A scale for each map, and one more for the last map's square between two scales."""
        return len(self.maps) + 1

    def with_aspect_ratios(self, ratios: Sequence[Sequence[float]] | None) -> "MapLayout":
        """Returns the maps with other ratios, a list for each map; None is the paper's.

        Raises:
            ValueError: the number of lists is not the number of maps.
        """
        if ratios is None:
            return self
        pairs = zip(self.maps, ratios, strict=True)
        return self._replace(maps=tuple(m._replace(aspect_ratios=tuple(own)) for m, own in pairs))


_HALVES_512 = Extra(256, 512, kernel_size=3, stride=2, padding=1)
_HALVES_256 = Extra(128, 256, kernel_size=3, stride=2, padding=1)
_VALID = Extra(128, 256, kernel_size=3, stride=1, padding=0)
_TWO_TO_ONE = Extra(128, 256, kernel_size=4, stride=1, padding=1)

LAYOUTS = {
    layout.input_size: layout
    for layout in (
        MapLayout(
            300,
            (
                FeatureMap(38, 8, (2,)),
                FeatureMap(19, 16, (2, 3)),
                FeatureMap(10, 32, (2, 3), _HALVES_512),
                FeatureMap(5, 64, (2, 3), _HALVES_256),
                FeatureMap(3, 100, (2,), _VALID),
                FeatureMap(1, 300, (2,), _VALID),
            ),
            (0.07, 0.15, 0.33, 0.51, 0.69, 0.87, 1.05),
            (0.1, 0.2, 0.37, 0.54, 0.71, 0.88, 1.05),
        ),
        MapLayout(
            512,
            (
                FeatureMap(64, 8, (2,)),
                FeatureMap(32, 16, (2, 3)),
                FeatureMap(16, 32, (2, 3), _HALVES_512),
                FeatureMap(8, 64, (2, 3), _HALVES_256),
                FeatureMap(4, 128, (2, 3), _HALVES_256),
                FeatureMap(2, 256, (2,), _HALVES_256),
                FeatureMap(1, 512, (2,), _TWO_TO_ONE),
            ),
            (0.04, 0.1, 0.26, 0.42, 0.58, 0.74, 0.9, 1.06),
            (0.07, 0.15, 0.3, 0.45, 0.6, 0.75, 0.9, 1.05),
        ),
    )
}
"""The layouts by `input_size`."""
