import pytest

from ssdcore.tracking.sender import sync
from ssdcore.tracking.spool import spools
from tests.tracking.spools import FINISH, SQLITE, line, open_spool

CPU, MEMORY = "system/cpu_utilization_percentage", "system/system_memory_usage_percentage"


@pytest.mark.parametrize("wanted", [True, False])
def test_the_load_of_the_machine_is_stored_unless_mlflow_is_told_not_to(
    root, experiment, stored, monkeypatch, wanted
):
    """Also if the store could not be reached while the stage ran."""
    from ssdcore.tracking.machine import MachineLoad

    monkeypatch.setenv("MLFLOW_ENABLE_SYSTEM_METRICS_LOGGING", str(wanted).lower())
    monkeypatch.setenv("MLFLOW_SYSTEM_METRICS_SAMPLING_INTERVAL", "1e-9")
    spool = open_spool(root, store=SQLITE, experiment=experiment)
    load = MachineLoad(spool.folder)
    load.sample()
    load.sample()
    spool.append(line(FINISH))
    spool.close()
    assert [sent.left for sent in sync()] == [""]
    assert spools(root) == []
    (run,) = stored()
    assert run.info.status == "FINISHED"
    assert {CPU, MEMORY} <= run.data.metrics.keys() if wanted else not run.data.metrics
    assert all(0 <= run.data.metrics[name] <= 100 for name in (CPU, MEMORY) if wanted)
