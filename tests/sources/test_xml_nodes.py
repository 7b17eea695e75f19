import pytest

from ssdcore.core.errors import InputError
from ssdcore.sources import xml_nodes
from ssdcore.sources.xml_nodes import parse_xml, text_of

EXPANDING = """<?xml version="1.0"?>
<!DOCTYPE lolz [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;">]>
<annotation>&b;</annotation>"""
OUTSIDE = """<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]><x>&e;</x>"""


def test_elements_have_text_children_and_lines():
    root = parse_xml("<a>\n <b>süß &amp; x</b>\n <c><b/>\n<b>2</b></c></a>".encode(), "f.xml")
    assert (root.tag, root.get("line")) == ("a", "1")
    assert [(child.tag, child.get("line")) for child in root] == [("b", "2"), ("c", "3")]
    assert text_of(root, "b") == "süß & x"
    assert [(b.text, b.get("line")) for b in root.find("c")] == [(None, "3"), ("2", "4")]
    assert text_of(root, "none") == ""
    assert text_of(parse_xml(b"<a><b>ca<c/>t</b></a>", "f.xml"), "b") == "cat"


@pytest.mark.parametrize(
    ("encoding", "text"),
    [
        ("utf-8-sig", "中"),
        ("utf-16", "中"),
        ("gb18030", "中"),
        ("iso-8859-1", "süß"),
        ("koi8-r", "кот"),
    ],
)
def test_the_declared_encoding_is_used(encoding, text):
    declared = f'<?xml version="1.0" encoding="{encoding.removesuffix("-sig")}"?>'
    assert parse_xml(f"{declared}<a>{text}</a>".encode(encoding), "f.xml").text == text


def test_utf_8_that_calls_itself_utf_16_is_read():
    assert parse_xml('<?xml version="1.0" encoding="utf-16"?><a>ü</a>'.encode(), "x").text == "ü"


@pytest.mark.parametrize("encoding", ["foo", "", "hex", "rot13", "punycode", "unicode_escape"])
def test_an_encoding_that_does_not_exist_is_refused(encoding):
    data = f'<?xml version="1.0" encoding="{encoding}"?>\n<a/>'.encode()
    with pytest.raises(InputError, match=rf"^f\.xml, line 1: found '{encoding}'.*such as UTF-8"):
        parse_xml(data, "f.xml")


@pytest.mark.parametrize("encoding", ["utf-8", "gb2312", "shift_jis", "ascii"])
def test_bytes_of_another_encoding_are_named_with_their_line(encoding):
    data = f'<?xml version="1.0" encoding="{encoding}"?>\n<a>\n'.encode() + b"\xff\xff</a>"
    with pytest.raises(InputError, match=rf"^f\.xml, line 3: .*expected text in {encoding}"):
        parse_xml(data, "f.xml")


@pytest.mark.parametrize("text", [EXPANDING, OUTSIDE, "<!DOCTYPE a><a/>"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_a_document_type_is_refused(text, encoding):
    with pytest.raises(InputError, match=r"^f\.xml, line \d: found '<!DOCTYPE"):
        parse_xml(text.removeprefix('<?xml version="1.0"?>\n').encode(encoding), "f.xml")


@pytest.mark.parametrize(("data", "line"), [(b"", 1), (b"<a>\n<b></a>", 2), (b"<a/>\n\ntext", 3)])
def test_malformed_xml_is_named_with_its_line(data, line):
    with pytest.raises(InputError, match=rf"^f\.xml, line {line}: .*well-formed"):
        parse_xml(data, "f.xml")


def test_files_that_are_too_large_or_too_deep_are_refused(monkeypatch):
    with pytest.raises(InputError, match="at most 100 nested elements"):
        parse_xml(b"<a>" * 1000, "f.xml")
    assert parse_xml(b"<a>" * 100 + b"</a>" * 100, "f.xml").tag == "a"
    monkeypatch.setattr(xml_nodes, "MAX_BYTES", 8)
    assert parse_xml(b"<a> </a>", "f.xml").text == " "
    with pytest.raises(InputError, match=r"9 bytes.*at most 8"):
        parse_xml(b"<a>  </a>", "f.xml")


def test_too_many_elements_are_refused():
    data = b"<a>" + b"a<b/>" * 200_000 + b"</a>"
    with pytest.raises(InputError, match=r"f\.xml, line 1: .*at most 200000 elements"):
        parse_xml(data, "f.xml")
    assert len(parse_xml(b"<a>" + b"a<b/>" * 20_000 + b"</a>", "f.xml")) == 20_000
