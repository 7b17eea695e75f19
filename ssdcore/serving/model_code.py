"""What MLflow runs to get the model; code of its own kind, so that nothing has to be pickled."""

from mlflow.models import set_model

from ssdcore.serving.image_model import ImageModel

set_model(ImageModel())
