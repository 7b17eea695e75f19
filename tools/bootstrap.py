"""Make `.venv`, the environment of the Makefile's targets; do nothing where it is ready.

`.venv/bootstrap.json` records what the environment was made of and how far that got. It is written
before the first file and again after the last one, so an interrupted set-up is seen and begun anew.

Exit status: 0 ready, 1 an installer failed, 2 something for the user to mend, with one message.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shutil
import sys
from pathlib import Path

from tools.installers import InstallError, Pip, Uv, run
from tools.libraries import check_imports
from tools.pythons import Interpreter, SetupError, check_platform, choose, find, probe

ROOT = Path(__file__).resolve().parent.parent


class Environment:
    """The folder `.venv` of a checkout, and the record inside it.

    Args:
        root: the checkout, with its requirements.lock.
        requested: the Python given as PYTHON=, or None.
    """

    def __init__(self, root: Path, requested: str | None) -> None:
        self.requested = requested
        self.folder = root / ".venv"
        self.python = self.folder / "bin" / "python"
        self.record = self.folder / "bootstrap.json"
        self.lock = root / "requirements.lock"
        # `.venv` may be active while it is being replaced: its own commands are not candidates.
        own = os.path.realpath(self.folder / "bin")
        self.path = os.pathsep.join(p for p in os.get_exec_path() if os.path.realpath(p) != own)
        self.uv = shutil.which("uv", path=self.path)

    def read_record(self) -> dict[str, str] | None:
        """Return the record; None where this program did not make the folder."""
        try:
            return dict(json.loads(self.record.read_text(encoding="utf-8")))
        except FileNotFoundError:
            return None
        except (TypeError, ValueError):
            return {}

    def write_record(self, state: str, python: str) -> None:
        """Replace the record in one step."""
        new = self.record.with_name("bootstrap.json.new")
        new.write_text(json.dumps(self.wanted(state, python), indent=1) + "\n", encoding="utf-8")
        new.replace(self.record)

    def wanted(self, state: str, python: str) -> dict[str, str]:
        """Return the record of an environment of this lock, in this place, with that Python."""
        return {
            "state": state,
            "python": python,
            # The scripts inside name their Python by its full path.
            "place": str(self.folder.resolve()),
            "lock": hashlib.sha256(self.lock.read_bytes()).hexdigest(),
        }

    def is_at(self, state: str) -> bool:
        """Say whether the environment got as far as `state`, is up to date and runs."""
        record = self.read_record()
        if record is None or record != self.wanted(state, record.get("python", "")):
            return False
        inside = probe(str(self.python))
        return (
            inside is not None
            and inside.identity == record["python"]
            and self.requested_identity() in (None, inside.identity)
        )

    def requested_identity(self) -> str | None:
        """Return what the environment has to be bound to; None where nothing was asked for."""
        if self.requested is None:
            return None
        command = find(self.requested, self.path)
        python = probe(command) if command else None
        return python.identity if python else "a Python that does not run"

    def prepare(self) -> None:
        """Bring the environment up to date, from whatever state it is in."""
        if self.is_at("ready"):
            return
        with self.lock.open() as turn:
            fcntl.flock(turn, fcntl.LOCK_EX)  # two makes at once: the second finds the work done
            if self.is_at("ready"):
                return
            self.refuse_link()
            if not self.is_at("installed"):
                self.make()
            check_imports(self.python)
            self.write_record("ready", (self.read_record() or {})["python"])
            print("The environment is ready.", flush=True)

    def refuse_link(self) -> None:
        """Leave another checkout's environment alone: filling this one would empty that one.

        Raises:
            SetupError: `.venv` is a link.
        """
        if self.folder.is_symlink():
            raise SetupError(
                f"{self.folder} is a link to {self.folder.resolve()}, which is not as this "
                "checkout needs it.\nRemove the link (rm .venv) and run make again."
            )

    def make(self) -> None:
        """Create the environment and fill it; one made by hand is filled as it stands."""
        by_hand = self.folder.exists() and self.read_record() is None and any(self.folder.iterdir())
        python = self.made_by_hand() if by_hand else choose(self.requested, self.path, self.uv)
        check_platform(python)
        print(f"Setting up .venv with {python.identity}.")
        print("The first time fetches about 1 GB and takes some minutes.", flush=True)
        self.folder.mkdir(exist_ok=True)
        installers: list[Uv | Pip] = [Uv(self.uv)] if self.uv else []
        if by_hand or python.makes_venvs:
            installers.append(Pip())
        for installer in installers:
            try:
                if not by_hand:
                    self.write_record("unfinished", python.identity)
                    self.clear()
                    run(installer.creation(python.executable, self.folder), "creating .venv")
                run(installer.installation(self.python, self.lock), "installing")
                break
            except InstallError as failure:
                if installer is installers[-1]:
                    raise
                # uv heeds neither pip's settings nor, unasked, the system's certificates.
                print(f"{failure}\nTrying with pip instead.", file=sys.stderr, flush=True)
        self.write_record("installed", python.identity)

    def made_by_hand(self) -> Interpreter:
        """Return the Python of an environment that is not ours to delete.

        Raises:
            SetupError: it will not do, so that the user has to remove the folder.
        """
        python = probe(str(self.python))
        fault = "does not run" if python is None else python.fault
        if fault is None and self.requested_identity() not in (None, python and python.identity):
            fault = f"is not {self.requested}"
        if python is None or fault:
            raise SetupError(
                f"{self.folder} was made by hand, and its Python {fault}.\n"
                "Remove it (rm -rf .venv) and run make again."
            )
        return python

    def clear(self) -> None:
        """Remove whatever stands in the folder, the record excepted."""
        for child in self.folder.iterdir():
            if child.is_dir() and not child.is_symlink():
                shutil.rmtree(child)
            elif child != self.record:
                child.unlink()


def main(arguments: list[str]) -> int:
    """Prepare the environment, with the Python named if any, and return the exit status."""
    try:
        Environment(ROOT, next(filter(None, arguments), None)).prepare()
    except SetupError as problem:
        print(problem, file=sys.stderr)
        return 2
    except InstallError as failure:
        print(f"{failure}\nThe next make begins the set-up anew.", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("Interrupted. The next make begins the set-up anew.", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
