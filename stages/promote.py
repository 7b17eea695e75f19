"""Makes the model at hand the champion where its AP is better. No stage of DVC, but for a person.

Exit status: 0 the model at hand is the champion, now or already; 1 the champion is as good or
better and stays; 2 they can't be compared, or a file is missing.
"""

import sys
from pathlib import Path
from typing import Annotated

import typer

from ssdcore.core.command import DEFAULT_PARAMS, ParamsOption, run
from ssdcore.core.errors import InputError, RunError
from ssdcore.params.reader import read_params

UNNAMEABLE = '/:"'
"""What MLflow's registry, and its search, do not take in a name."""
NameOption = Annotated[
    str | None,
    typer.Option("--name", help="Of the registered model; tracking.experiment where left out."),
]


def main(params: ParamsOption = DEFAULT_PARAMS, name: NameOption = None) -> None:
    """Register model/best.ckpt in MLflow and make it the champion where its AP is better.

    Exit status: 0 it is the champion now, 1 the champion stays, 2 they can't be compared.
    """
    settings = read_params(params)
    called = name or settings.tracking.experiment
    if set(called) & set(UNNAMEABLE) or not called.strip():
        raise InputError("--name", called, f"a name without {' '.join(UNNAMEABLE)}")

    from ssdcore.core import layout
    from ssdcore.evaluation.score_to_show import score_to_show
    from ssdcore.inference.decode import Thresholds
    from ssdcore.serving.candidate import read_candidate
    from ssdcore.serving.version import comparison, is_better, require_comparable
    from ssdcore.tracking.store import UnavailableError, locate, root_folder
    from ssdcore.tracking.upload import sync

    candidate = read_candidate(Path())
    for sent in sync():  # its run may be waiting there
        if sent.left:
            print(f"{sent.folder.name} is not sent: {sent.left}", file=sys.stderr)
    store = locate()
    evaluate, report = settings.evaluate, settings.report
    shown = score_to_show(report.score_threshold, layout.EVALUATE_METRICS)
    thresholds = Thresholds.of(evaluate, shown)

    from ssdcore.serving.registry import CHAMPION, Registry

    try:
        registry = Registry(store, called)
        champion = registry.champion()
        version = registry.find(candidate) or registry.register(
            candidate, settings.tracking.experiment, thresholds
        )
        print(*comparison(version, champion), sep="\n")
        if champion and champion.number != version.number:
            require_comparable(version, champion)
            if not is_better(version, champion):
                print(f"{called}: version {champion.number} stays the {CHAMPION}.")
                sys.exit(1)
        registry.promote(version)
    except UnavailableError as error:
        raise RunError(f"{store.written(root_folder())}: {error}") from error
    print(f"{called}: version {version.number} is the {CHAMPION}. To serve it:")
    print(f"mlflow models serve -m 'models:/{called}@{CHAMPION}' --env-manager local")


if __name__ == "__main__":
    run(main)
