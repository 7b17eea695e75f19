"""Helpers of the data sources' tests: archives, annotation files and a web server."""

import functools
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from zipfile import ZipFile

from tests.download.web_server import serving

Boxes = list[tuple[str, tuple[float, float, float, float]]]
"""Class name, and x1, y1, x2, y2 in pixels."""


def make_zip(path: Path, files: Mapping[str, bytes | str], top: str = "") -> Path:
    with ZipFile(path, "w") as archive:
        for name, data in files.items():
            archive.writestr(top + name, data)
    return path


def make_folder(path: Path, files: Mapping[str, bytes | str]) -> Path:
    for name, data in files.items():
        target = path / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(data.encode() if isinstance(data, str) else data)
    return path


def files_in(folder: Path) -> dict[str, bytes]:
    """Returns the files below a folder by their paths in it."""
    files = (path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


def voc_xml(file_name: str, boxes: Boxes, size_hw: tuple[int, int] | None = (60, 80)) -> str:
    """Returns an annotation as LabelImg writes it; the objects start in line 9."""
    size = ["<size>", "", "", "<depth>3</depth></size>"]
    if size_hw is not None:
        size[1:3] = f"<width>{size_hw[1]}</width>", f"<height>{size_hw[0]}</height>"
    lines = ["<annotation>", "<folder>x</folder>", f"<filename>{file_name}</filename>", *size]
    lines += ["<segmented>0</segmented>"]
    for name, box in boxes:
        corners = zip(("xmin", "ymin", "xmax", "ymax"), box, strict=True)
        inner = "".join(f"<{tag}>{value:g}</{tag}>" for tag, value in corners)
        lines.append(f"<object><name>{name}</name><bndbox>{inner}</bndbox></object>")
    return "\n".join([*lines, "</annotation>"])


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def served(folder: Path) -> Iterator[str]:
    """Yields the address of a web server for the folder's files."""
    handler = functools.partial(Quiet, directory=str(folder))
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    with serving(server):
        yield f"http://127.0.0.1:{server.server_port}"
