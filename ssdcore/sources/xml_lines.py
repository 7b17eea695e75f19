"""XML with line numbers, from files that need not be trusted.

A document type is refused: only there can entities be declared, which blow up to gigabytes or
name other files. VOC annotations have none.
"""

from dataclasses import dataclass, field
from xml.parsers import expat

from ssdcore.core.errors import InputError

MOST_BYTES = 8 << 20
MOST_DEPTH = 100


@dataclass
class Node:
    """An element.

    Attributes:
        tag: its name.
        line: of its start, from 1.
        children: in their order.
        text: what stands directly in it.
    """

    tag: str
    line: int
    children: list["Node"] = field(default_factory=list)
    text: str = ""

    def all(self, tag: str) -> list["Node"]:
        """Returns the children of that name."""
        return [child for child in self.children if child.tag == tag]

    def first(self, tag: str) -> "Node | None":
        """Returns the first child of that name."""
        return next(iter(self.all(tag)), None)


def parse_xml(data: bytes, place: str) -> Node:
    """Returns the root element.

    Args:
        data: the file.
        place: what messages call it.

    Raises:
        InputError: no well-formed XML, a document type, or far larger than any annotation.
    """
    if len(data) > MOST_BYTES:
        raise InputError(place, f"{len(data)} bytes", f"at most {MOST_BYTES} bytes of XML")
    top = Node("", 0)
    path = [top]
    parser = expat.ParserCreate()
    parser.buffer_text = True

    def start(tag: str, attributes: dict[str, str]) -> None:
        node = Node(tag, parser.CurrentLineNumber)
        if len(path) > MOST_DEPTH:
            raise InputError(f"{place}, line {node.line}", tag, "elements less deep in each other")
        path[-1].children.append(node)
        path.append(node)

    def end(tag: str) -> None:
        path.pop()

    def characters(text: str) -> None:
        path[-1].text += text

    def doctype(name: str, *_: object) -> None:
        line = f"{place}, line {parser.CurrentLineNumber}"
        raise InputError(line, f"<!DOCTYPE {name}>", "no document type", "Delete the line")

    parser.StartElementHandler, parser.EndElementHandler = start, end
    parser.CharacterDataHandler, parser.StartDoctypeDeclHandler = characters, doctype
    try:
        parser.Parse(data, True)
    except expat.ExpatError as error:
        reason = expat.ErrorString(error.code)
        raise InputError(f"{place}, line {error.lineno}", reason, "well-formed XML") from None
    return top.children[0]
