import re
from importlib.metadata import packages_distributions
from pathlib import Path

import grimp
import pytest

from ssdcore.core.errors import InputError
from ssdcore.serving.requirements import NEEDED, pinned

ROOT = Path(__file__).parents[2]
NOT_IN_THE_MODEL = {"ssdcore", "stages"}


def test_what_the_model_imports_is_required():
    graph = grimp.build_graph("ssdcore", "stages", include_external_packages=True)
    imported = set()
    for module in ("ssdcore.serving.model_code", "ssdcore.serving.worker"):
        imported |= {name.partition(".")[0] for name in graph.find_upstream_modules(module)}
    owners = packages_distributions()
    packages = {p for name in imported - NOT_IN_THE_MODEL for p in owners.get(name, [])}
    installed = {re.sub("[-_.]+", "-", name).lower() for name in packages}
    # MLflow brings pandas; its own parts have its version
    assert installed - {"mlflow-skinny", "mlflow-tracing", "pandas"} == set(NEEDED)


def test_versions_and_markers_are_the_locks(tmp_path):
    lines = pinned(ROOT / "requirements.lock")
    assert "mindspore==2.8.0 ; python_full_version < '3.13'" in lines
    assert all(re.fullmatch(r"[a-z-]+==\S+( ; .+)?", line) for line in lines), lines
    text = (ROOT / "requirements.lock").read_text()
    assert all(f"\n{line} \\\n" in text for line in lines)
    both = "".join(f"{name}==1 \\\n    --hash=sha256:0\n" for name in NEEDED)
    (tmp_path / "lock").write_text(both + "pillow==2 ; python_version < '3.11' \\\n")
    assert pinned(tmp_path / "lock")[4:6] == ["pillow==1", "pillow==2 ; python_version < '3.11'"]


def test_a_lock_without_one_of_them_is_refused(tmp_path):
    (tmp_path / "lock").write_text("mindspore-lite==2.8.0 \\\n")
    with pytest.raises(InputError, match="expected a version of mindspore"):
        pinned(tmp_path / "lock")
