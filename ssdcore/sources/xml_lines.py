"""Parses untrusted XML, with line numbers.

A document type is refused: it can declare entities, which expand to gigabytes or include other
files. VOC annotations have none.
"""

from dataclasses import dataclass, field
from xml.parsers import expat

from ssdcore.core.errors import InputError

MAX_BYTES = 8 << 20
MAX_DEPTH = 100


@dataclass
class Node:
    """An element.

    Attributes:
        tag: its name.
        line: line of its start tag, from 1.
        children: the elements in it, in order.
        text: the text directly in it.
    """

    tag: str
    line: int
    children: list["Node"] = field(default_factory=list)
    text: str = ""

    def all(self, tag: str) -> list["Node"]:
        """Returns the children with this tag."""
        return [child for child in self.children if child.tag == tag]

    def first(self, tag: str) -> "Node | None":
        """Returns the first child with this tag, if any."""
        return next(iter(self.all(tag)), None)


def parse_xml(data: bytes, where: str) -> Node:
    """Returns the root element.

    Args:
        data: the content of the file.
        where: its name in messages.

    Raises:
        InputError: malformed XML, a document type, or far larger than any annotation.
    """
    if len(data) > MAX_BYTES:
        raise InputError(where, f"{len(data)} bytes", f"at most {MAX_BYTES} bytes of XML")
    top = Node("", 0)
    path = [top]
    parser = expat.ParserCreate()
    parser.buffer_text = True

    def start(tag: str, attributes: dict[str, str]) -> None:
        node = Node(tag, parser.CurrentLineNumber)
        if len(path) > MAX_DEPTH:
            raise InputError(
                f"{where}, line {node.line}", tag, f"at most {MAX_DEPTH} nested elements"
            )
        path[-1].children.append(node)
        path.append(node)

    def end(tag: str) -> None:
        path.pop()

    def characters(text: str) -> None:
        path[-1].text += text

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
