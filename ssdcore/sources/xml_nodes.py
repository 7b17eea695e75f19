"""Reads small XML files with the line of each element.

The XML is untrusted. Size, depth and number of elements are bounded. A document type is refused: it
can declare entities, which expand to gigabytes or include other files.
"""

import codecs
import re
from xml.etree.ElementTree import Element, TreeBuilder
from xml.parsers import expat

from ssdcore.core.errors import InputError

MAX_BYTES = 8 << 20
MAX_DEPTH = 100
MAX_ELEMENTS = 200_000
"""Maximum number of elements; an object has about ten."""
ENCODING = re.compile(rb"""<\?xml\s[^>]*?encoding\s*=\s*["']([\w.:-]*)["']""")
ESCAPES = ("idna", "punycode", "raw-unicode-escape", "unicode-escape")
"""Python's encodings that no file uses; some take hours for a megabyte."""
BYTE_ORDER_MARKS = {
    codecs.BOM_UTF8: "utf-8", codecs.BOM_UTF16_LE: "utf-16", codecs.BOM_UTF16_BE: "utf-16",
}  # fmt: skip


def text_of(element: Element, tag: str) -> str:
    """Returns the stripped text directly in the first child with this tag, or ""."""
    child = element.find(tag)
    if child is None:
        return ""
    return "".join([child.text or "", *(within.tail or "" for within in child)]).strip()


def parse_xml(data: bytes, where: str) -> Element:
    """Returns the root element. The only attribute of each is `line`, the line of its start tag.

    The data may be in any encoding that they declare and Python supports.

    Raises:
        InputError: malformed XML, a document type, or far larger than any annotation.
    """
    if len(data) > MAX_BYTES:
        raise InputError(where, f"{len(data)} bytes", f"at most {MAX_BYTES} bytes of XML")
    data = as_utf8(data, where)
    builder, depth, count = TreeBuilder(), 0, 0
    parser = expat.ParserCreate("utf-8")  # whatever the file declares

    def start(tag: str, attributes: dict[str, str]) -> None:
        nonlocal depth, count
        depth, count = depth + 1, count + 1
        for number, most, kind in ((depth, MAX_DEPTH, "nested "), (count, MAX_ELEMENTS, "")):
            if number > most:
                line = f"{where}, line {parser.CurrentLineNumber}"
                raise InputError(line, f"<{tag}>", f"at most {most} {kind}elements")
        builder.start(tag, {"line": str(parser.CurrentLineNumber)})

    def end(tag: str) -> None:
        nonlocal depth
        depth -= 1
        builder.end(tag)

    def doctype(name: str, *_: object) -> None:
        line = f"{where}, line {parser.CurrentLineNumber}"
        raise InputError(line, f"<!DOCTYPE {name}>", "no document type", "Delete the line")

    parser.StartElementHandler, parser.EndElementHandler = start, end
    parser.CharacterDataHandler, parser.StartDoctypeDeclHandler = builder.data, doctype
    try:
        parser.Parse(data, True)
    except expat.ExpatError as error:
        reason = expat.ErrorString(error.code)
        raise InputError(f"{where}, line {error.lineno}", reason, "well-formed XML") from None
    return builder.close()


def as_utf8(data: bytes, where: str) -> bytes:
    """Returns the file in UTF-8; expat itself has few encodings, and none of several bytes."""
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
        expected = "an encoding that Python supports, such as UTF-8 or GBK"
        raise InputError(f"{where}, line 1", encoding, expected, "Save it as UTF-8") from None
    except UnicodeError as error:
        line = data.count(b"\n", 0, getattr(error, "start", 0)) + 1
        raise InputError(f"{where}, line {line}", str(error), f"text in {encoding}") from None
