"""Reads small XML files with the line of each element.

The XML is untrusted. Size, depth and number of elements are bounded. A document type is refused: it
can declare entities, which expand to gigabytes or include other files.
"""

import codecs
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from xml.parsers import expat

from ssdcore.core.errors import InputError

MAX_BYTES = 8 << 20
MAX_DEPTH = 100
MAX_ELEMENTS = 200_000
"""An object has about ten elements."""
ENCODING = re.compile(rb"""<\?xml\s[^>]*?encoding\s*=\s*["']([\w.:-]*)["']""")
ESCAPES = ("idna", "punycode", "raw-unicode-escape", "unicode-escape")
"""Encodings of Python that are no file's; some take hours for a megabyte."""
BYTE_ORDER_MARKS = {
    codecs.BOM_UTF8: "utf-8", codecs.BOM_UTF16_LE: "utf-16", codecs.BOM_UTF16_BE: "utf-16",
}  # fmt: skip


@dataclass(slots=True)
class Node:
    """An element.

    Attributes:
        tag: its name.
        line: line of its start tag, from 1.
        children: the elements in it, in order.
        pieces: the text directly in it, cut by its elements.
    """

    tag: str
    line: int
    children: list["Node"] = field(default_factory=list)
    pieces: list[str] = field(default_factory=list)

    @property
    def text(self) -> str:
        """The text directly in it."""
        return "".join(self.pieces)

    def all(self, tag: str) -> list["Node"]:
        """Returns the children with this tag."""
        return [child for child in self.children if child.tag == tag]

    def first(self, tag: str) -> "Node | None":
        """Returns the first child with this tag, if any."""
        return next(iter(self.all(tag)), None)

    def everything(self) -> Iterator["Node"]:
        """Yields all elements in it, at any depth."""
        for child in self.children:
            yield child
            yield from child.everything()

    def text_of(self, tag: str) -> str:
        """Returns the stripped text of the first child with this tag, or ""."""
        node = self.first(tag)
        return node.text.strip() if node else ""


def parse_xml(data: bytes, where: str) -> Node:
    """Returns the root element.

    Args:
        data: the content of the file, in any encoding that it declares and Python knows.
        where: its name in messages.

    Raises:
        InputError: malformed XML, a document type, or far larger than any annotation.
    """
    if len(data) > MAX_BYTES:
        raise InputError(where, f"{len(data)} bytes", f"at most {MAX_BYTES} bytes of XML")
    data = _as_utf8(data, where)
    top = Node("", 0)
    path, count = [top], 0
    parser = expat.ParserCreate("utf-8")  # whatever the file declares
    parser.buffer_text = True

    def start(tag: str, attributes: dict[str, str]) -> None:
        nonlocal count
        count += 1
        node = Node(tag, parser.CurrentLineNumber)
        for number, most, kind in ((len(path), MAX_DEPTH, "nested "), (count, MAX_ELEMENTS, "")):
            if number > most:
                line = f"{where}, line {node.line}"
                raise InputError(line, f"<{tag}>", f"at most {most} {kind}elements")
        path[-1].children.append(node)
        path.append(node)

    def end(tag: str) -> None:
        path.pop()

    def characters(text: str) -> None:
        path[-1].pieces.append(text)

    def doctype(name: str, *_: object) -> None:
        line = f"{where}, line {parser.CurrentLineNumber}"
        raise InputError(line, f"<!DOCTYPE {name}>", "no document type", "Delete the line")

    parser.StartElementHandler, parser.EndElementHandler = start, end
    parser.CharacterDataHandler, parser.StartDoctypeDeclHandler = characters, doctype
    try:
        parser.Parse(data, True)
    except expat.ExpatError as error:
        reason = expat.ErrorString(error.code)
        raise InputError(f"{where}, line {error.lineno}", reason, "well-formed XML") from None
    return top.children[0]


def _as_utf8(data: bytes, where: str) -> bytes:
    """Returns the file in UTF-8; expat itself knows few encodings, and none of several bytes."""
    marked = [name for mark, name in BYTE_ORDER_MARKS.items() if data.startswith(mark)]
    declared = ENCODING.match(data)
    encoding = marked[0] if marked else declared[1].decode("ascii") if declared else "utf-8"
    if declared and encoding.lower().startswith(("utf-16", "utf16")):
        encoding = "utf-8"  # the declaration itself is not in UTF-16: some tools write it so
    try:
        if codecs.lookup(encoding).name.replace("_", "-") in ESCAPES:
            raise LookupError
        return data.decode(encoding).removeprefix("\ufeff").encode("utf-8")
    except LookupError:
        expected = "an encoding that Python knows, such as UTF-8 or GBK"
        raise InputError(f"{where}, line 1", encoding, expected, "Save it as UTF-8") from None
    except UnicodeError as error:
        line = data.count(b"\n", 0, getattr(error, "start", 0)) + 1
        raise InputError(f"{where}, line {line}", str(error), f"text in {encoding}") from None
