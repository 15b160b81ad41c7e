"""Reading the XML that AWS answers with: small, without namespaces, and never with a document type.

Python's own parser is enough. What makes XML from strangers dangerous are entities, and those need a document type: the
first sign of one ends the reading, before anything of it is expanded. Sizes are limited where answers are read.
"""

from __future__ import annotations

from collections.abc import Iterator
from xml.etree.ElementTree import Element, ParseError, TreeBuilder, XMLParser


class _NoTypes(TreeBuilder):
    def doctype(self, name: str, *_: object) -> None:
        raise ValueError(f"a document type: {name}")


def parse(body: bytes) -> Element:
    """Read a document. Raises ValueError for what is none."""
    parser = XMLParser(target=_NoTypes())  # noqa: S314  see above
    try:
        parser.feed(body)
        root = parser.close()
    except (ParseError, LookupError) as error:
        raise ValueError(str(error)) from error
    assert isinstance(root, Element)
    for each in root.iter():
        each.tag = each.tag.rpartition("}")[2]
    return root


def text(element: Element, path: str) -> str:
    """Give the text of what stands beneath an element, "" if nothing does."""
    return (element.findtext(path) or "").strip()


def items(element: Element, path: str) -> Iterator[Element]:
    """Give the members of a list of EC2's: `<path><item>…</item><item>…</item></path>`."""
    yield from element.iterfind(f"{path}/item")


def fault(body: bytes) -> tuple[str, str, str]:
    """Give code, message and region that a failure says, as EC2 and S3 say it; "" for what it does not say."""
    try:
        root = parse(body)
    except ValueError:
        return "", "", ""
    found = root if root.tag == "Error" else root.find(".//Error")
    return ("", "", "") if found is None else (text(found, "Code"), text(found, "Message"), text(found, "Region"))
