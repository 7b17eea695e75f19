"""The process that fetches a model from MLflow, which can't be loaded where MindSpore is next."""

import sys
from pathlib import Path

from ssdcore.tracking.client import mlflow_errors, open_client
from ssdcore.tracking.quiet import quiet
from ssdcore.tracking.store import Store, UnavailableError, locate

with quiet():
    import mlflow
    from mlflow.artifacts import download_artifacts
    from mlflow.models import Model

    from ssdcore.serving.image_model import CHECKPOINT


def fetch(store: Store, uri: str, folder: Path) -> Path:
    """Downloads what a URI names, and returns the checkpoint or the exported network of it.

    Of a model only the checkpoint is taken; none of the code that came with it is run.

    Args:
        store: where models and runs are kept; a database that is not there is not made.
        uri: models:/… or runs:/….
        folder: where to.

    Raises:
        UnavailableError: the store can't be reached, or has no such thing.
        LookupError: what it names is no network.
    """
    if store.database and not store.database.exists():
        raise LookupError(f"no database {store.database}")
    open_client(store)
    mlflow.set_tracking_uri(store.uri)
    with mlflow_errors():
        path = Path(download_artifacts(artifact_uri=uri, dst_path=str(folder))).resolve()
    return path if path.is_file() else _checkpoint_in(path)


def _checkpoint_in(model: Path) -> Path:
    """Returns the checkpoint of a model that `ssdcore.serving.package` wrote."""
    if not (model / "MLmodel").is_file():
        raise LookupError("a folder that is no model; name a file in it")
    with mlflow_errors():
        flavor = Model.load(str(model)).flavors.get("python_function", {})
    entry = flavor.get("artifacts", {}).get(CHECKPOINT, {})
    path = (model / str(entry.get("path", ""))).resolve()
    if not path.is_file() or not path.is_relative_to(model):
        raise LookupError("a model that was not registered by stages.promote")
    return path


if __name__ == "__main__":
    try:
        print(fetch(locate(), sys.argv[1], Path(sys.argv[2])))
    except (LookupError, UnavailableError) as error:
        print(error, file=sys.stderr)
        sys.exit(1)
