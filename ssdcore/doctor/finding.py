"""What an examination says of one matter."""

from typing import Literal, NamedTuple

Grade = Literal["ok", "to do", "fault"]


class Finding(NamedTuple):
    """One line of the examination.

    Attributes:
        grade: "to do" is not done yet, but nothing is broken.
        matter: what was looked at.
        text: what was found.
        remedy: what to do, an imperative sentence without a full stop; empty where all is well.
    """

    grade: Grade
    matter: str
    text: str
    remedy: str = ""

    @property
    def is_fault(self) -> bool:
        """Whether something is broken."""
        return self.grade == "fault"

    def __str__(self) -> str:
        line = " ".join(f"{self.matter}: {self.text}".split())
        return f"{self.grade:5}  {line}{f'. {self.remedy}.' if self.remedy else ''}"
