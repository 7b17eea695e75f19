"""How long the end of a stage waits for what is still to be sent."""

IMPORT_S = 60.0
"""MLflow's import takes 2 to 5 s, on a busy machine longer."""
PROMPT_S, SLOW_S, SHARE = 10.0, 2.0, 0.03
"""Seconds for a store that is prompt, or slow, or a share of the time that the run was open."""
ONCE_MORE_S = 0.5
"""For one attempt at a store that could not be reached before."""


def deadline_s(
    began_s: float, ready_s: float | None, closed_s: float, *, unreachable: bool, slow: bool
) -> float:
    """Returns until when a stage waits. All times are seconds of the monotonic clock.

    Args:
        began_s: when the run was opened.
        ready_s: when MLflow was there to send anything; None while it is not.
        closed_s: when the stage ended.
        unreachable: whether the store failed when it was last asked.
        slow: whether an answer took long, or does.
    """
    if unreachable:
        return closed_s + ONCE_MORE_S
    if ready_s is None:
        return closed_s + IMPORT_S
    least_s = SLOW_S if slow else PROMPT_S
    return max(closed_s, ready_s) + max(least_s, SHARE * (closed_s - began_s))
