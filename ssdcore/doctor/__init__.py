"""Checks the machine and the pipeline; each finding names the problem and the remedy."""

from typing import Literal, NamedTuple

Grade = Literal["ok", "to do", "error"]
"""Work that has not been done yet is "to do"; something broken is "error"."""


class Finding(NamedTuple):
    """The result of one check, printed as one line.

    Attributes:
        grade: how it went.
        subject: what was checked.
        text: what was found.
        remedy: what to do, an imperative sentence without a full stop; empty if nothing.
    """

    grade: Grade
    subject: str
    text: str
    remedy: str = ""

    @property
    def is_error(self) -> bool:
        """Whether something is broken."""
        return self.grade == "error"

    def __str__(self) -> str:
        line = " ".join(f"{self.subject}: {self.text}".split())
        return f"{self.grade:5}  {line}{f'. {self.remedy}.' if self.remedy else ''}"
