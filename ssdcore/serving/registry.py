"""The versions of a model in MLflow's registry, and the alias of the best one."""

from pathlib import Path
from tempfile import TemporaryDirectory

from ssdcore.serving.package import save
from ssdcore.serving.version import Candidate, Version, identity, tags_of
from ssdcore.tracking.client import (
    MISSING,
    experiment_id_of,
    mlflow_errors,
    newest_run,
    open_client,
    quiet,
)
from ssdcore.tracking.context import MODEL_TAG, provenance
from ssdcore.tracking.store import Store

with quiet():
    import mlflow
    from mlflow.entities import LoggedModelOutput
    from mlflow.entities.model_registry import ModelVersion, RegisteredModel
    from mlflow.exceptions import MlflowException

CHAMPION = "champion"
RUN_TAGS = ("params.sha256", "git.commit", "git.dirty", "dvc.exp_name", "dvc.baseline_rev")
"""Tags that a version inherits from the run that trained the model."""


class Registry:
    """A registered model, by its name in a store. Every method may raise `UnavailableError`."""

    def __init__(self, store: Store, name: str) -> None:
        self._store, self._name = store, name
        mlflow.set_tracking_uri(store.uri)  # the registry's client reads this global setting
        self._client = open_client(store)

    def champion(self) -> Version | None:
        """Returns the version that has the alias, None if no version has it."""
        with mlflow_errors():
            model = self._registered()
            number = model.aliases.get(CHAMPION) if model else None
            return number and _to_version(self._client.get_model_version(self._name, number))

    def find(self, candidate: Candidate) -> Version | None:
        """Returns the newest version with the same answers and figures, None without one."""
        expected = identity(candidate)
        with mlflow_errors():
            found = self._client.search_model_versions(f'name = "{self._name}"')
        same = [one for one in found if expected.items() <= one.tags.items()]
        latest = max(same, key=lambda one: int(one.version), default=None)
        return latest and _to_version(latest)

    def register(self, candidate: Candidate, experiment: str) -> Version:
        """Packs the model, stores it with its run in the experiment and registers a version."""
        client = self._client
        experiment_id = experiment_id_of(client, experiment, self._store)
        with mlflow_errors(), TemporaryDirectory() as folder:
            run = newest_run(client, experiment_id, {MODEL_TAG: candidate.sha256})
            origin = run.data.tags if run else provenance(Path.cwd())
            tags = {n: origin[n] for n in RUN_TAGS if n in origin} | tags_of(candidate)
            packed = Path(folder, "model")
            save(packed, candidate.exported, candidate.score, tags)
            run_id = run.info.run_id if run else None
            model = client.create_logged_model(experiment_id, self._name, run_id, tags)
            client.log_model_artifacts(model.model_id, str(packed))
            client.finalize_logged_model(model.model_id, "READY")
            if run_id:
                client.log_outputs(run_id, [LoggedModelOutput(model.model_id, step=0)])
            if self._registered() is None:
                client.create_registered_model(self._name)
            return _to_version(
                client.create_model_version(
                    self._name, model.model_uri, run_id, tags, model_id=model.model_id
                )
            )

    def promote(self, version: Version) -> None:
        """Moves the alias to a version."""
        with mlflow_errors():
            self._client.set_registered_model_alias(self._name, CHAMPION, version.number)

    def _registered(self) -> RegisteredModel | None:
        try:
            return self._client.get_registered_model(self._name)
        except MlflowException as error:
            if error.error_code == MISSING:
                return None
            raise


def _to_version(stored: ModelVersion) -> Version:
    return Version(str(stored.version), stored.tags)
