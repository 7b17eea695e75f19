from ssdcore.params.schema import AugmentParams


def augment_params(**on: float) -> AugmentParams:
    """Everything is off except what is given; colours change each time, if at all."""
    return AugmentParams(**dict.fromkeys(AugmentParams.model_fields, 0.0) | {"colours": 1.0} | on)
