"""Fetches a model file from MLflow; runs as a separate process, without MindSpore.

MindSpore 2.8 aborts in a process in which MLflow has loaded Protocol Buffers first.
"""

import sys
from pathlib import Path

from ssdcore.tracking.store import Store, UnavailableError, locate


def fetch(store: Store, uri: str, folder: Path) -> Path:
    """Downloads what a URI names, and returns its network's file.

    Of a registered model (models:/… or runs:/…) only the network is used; none of its code is run.
    A missing database is not created.

    Raises:
        UnavailableError: the store can't be reached, or has no such thing.
        LookupError: the URI names no network.
    """
    if store.database and not store.database.exists():
        raise LookupError(f"no database {store.database}")

    from ssdcore.tracking.client import mlflow_errors, open_client, quiet  # takes seconds

    with quiet():
        import mlflow
        from mlflow.artifacts import download_artifacts

    open_client(store)
    mlflow.set_tracking_uri(store.uri)
    with mlflow_errors():
        path = Path(download_artifacts(artifact_uri=uri, dst_path=str(folder))).resolve()
    return path if path.is_file() else _network_in(path)


def _network_in(model: Path) -> Path:
    """Returns the network's file of a model that `ssdcore.serving.package` wrote."""
    if not (model / "MLmodel").is_file():
        raise LookupError("a folder that is no model; name a file in it")
    networks = [path for path in model.glob("artifacts/[!.]*") if path.is_file()]
    if len(networks) != 1:
        raise LookupError("a model that was not registered by stages.promote")
    return networks[0]


if __name__ == "__main__":
    try:
        print(fetch(locate(), sys.argv[1], Path(sys.argv[2])))  # noqa: T201 - to the parent
    except (LookupError, UnavailableError) as error:
        print(error, file=sys.stderr)  # noqa: T201
        sys.exit(1)
