import pytest

from ssdcore.core.errors import InputError
from ssdcore.sources import xml_lines
from ssdcore.sources.xml_lines import parse_xml

EXPANDING = """<?xml version="1.0"?>
<!DOCTYPE lolz [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;">]>
<annotation>&b;</annotation>"""
OUTSIDE = """<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]><x>&e;</x>"""


def test_elements_have_text_children_and_lines():
    root = parse_xml("<a>\n <b>süß &amp; x</b>\n <c><b/>\n<b>2</b></c></a>".encode(), "f.xml")
    assert (root.tag, root.line) == ("a", 1)
    assert [(child.tag, child.line) for child in root.children] == [("b", 2), ("c", 3)]
    assert root.first("b").text == "süß & x"
    assert [(b.text, b.line) for b in root.first("c").all("b")] == [("", 3), ("2", 4)]
    assert root.first("none") is None


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "iso-8859-1"])
def test_other_encodings(encoding):
    declared = f'<?xml version="1.0" encoding="{encoding.removesuffix("-sig")}"?>'
    assert parse_xml(f"{declared}<a>süß</a>".encode(encoding), "f.xml").text == "süß"


@pytest.mark.parametrize("text", [EXPANDING, OUTSIDE, "<!DOCTYPE a><a/>"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_a_document_type_is_refused(text, encoding):
    with pytest.raises(InputError, match=r"^f\.xml, line \d: found '<!DOCTYPE"):
        parse_xml(text.removeprefix('<?xml version="1.0"?>\n').encode(encoding), "f.xml")


@pytest.mark.parametrize(
    ("data", "line"), [(b"", 1), (b"<a>\n<b></a>", 2), (b"<a/>\n\ntext", 3), (b"<a>\n\xff</a>", 2)]
)
def test_malformed_xml_is_named_with_its_line(data, line):
    with pytest.raises(InputError, match=rf"^f\.xml, line {line}: .*well-formed"):
        parse_xml(data, "f.xml")


def test_files_that_are_too_large_or_too_deep_are_refused(monkeypatch):
    with pytest.raises(InputError, match="at most 100 nested elements"):
        parse_xml(b"<a>" * 1000, "f.xml")
    assert parse_xml(b"<a>" * 100 + b"</a>" * 100, "f.xml").tag == "a"
    monkeypatch.setattr(xml_lines, "MAX_BYTES", 8)
    assert parse_xml(b"<a> </a>", "f.xml").text == " "
    with pytest.raises(InputError, match=r"9 bytes.*at most 8"):
        parse_xml(b"<a>  </a>", "f.xml")
