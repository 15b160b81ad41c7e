"""Balancing algorithms, as HAProxy's `balance` takes them (configuration manual 4.2, versions 2.6 to 3.4).

The operator writes HAProxy's own words. Only the forms listed here pass, so the normal form can be put into a
configuration as it is.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from difflib import get_close_matches

from longshore.core.values import RefusedError, shown, text, words

_ARGUMENT = r"[A-Za-z0-9_.-]{1,64}"
_SAMPLE = rf"path|src|url|(?:req\.hdr|req\.cook|url_param)\({_ARGUMENT}\)"
_NAME_HINT = 'names are letters, digits, "_", "." and "-"'


@dataclass(frozen=True, slots=True)
class Balance:
    """One algorithm: the word for HAProxy, and what it takes.

    `runtime` is False when HAProxy refuses servers added at runtime. `hashed` ones need `hash-type consistent` for
    that. `http` ones read the request and mean nothing in TCP mode.
    """

    word: str
    runtime: bool = True
    hashed: bool = False
    http: bool = False


# name: (pattern of the whole normal form, how to write it, Balance flags)
_FORMS: dict[str, tuple[str, str, tuple[bool, bool, bool]]] = {
    "roundrobin": (r"roundrobin", "roundrobin", (True, False, False)),
    "static-rr": (r"static-rr", "static-rr", (False, False, False)),
    "leastconn": (r"leastconn", "leastconn", (True, False, False)),
    "first": (r"first", "first", (True, False, False)),
    "random": (r"random(?:\([1-9][0-9]{0,2}\))?", "random or random(2)", (True, False, False)),
    "source": (r"source", "source", (True, True, False)),
    "uri": (
        r"uri(?: (?:whole|path-only|len [1-9][0-9]{0,4}|depth [1-9][0-9]{0,3})){0,4}",
        "uri, then any of: whole, path-only, len 20, depth 3",
        (True, True, True),
    ),
    "url_param": (
        rf"url_param(?:\({_ARGUMENT}\)| {_ARGUMENT})(?: check_post)?",
        f"url_param(id) or url_param id check_post; {_NAME_HINT}",
        (True, True, True),
    ),
    "hdr": (rf"hdr\({_ARGUMENT}\)(?: use_domain_only)?", f"hdr(X-User); {_NAME_HINT}", (True, True, True)),
    "hash": (
        rf"hash (?:{_SAMPLE})",
        "hash, then one of: path, src, url, req.hdr(name), req.cook(name), url_param(name)",
        (True, True, True),
    ),
    "rdp-cookie": (rf"rdp-cookie(?:\({_ARGUMENT}\))?", "rdp-cookie or rdp-cookie(mstshash)", (False, True, False)),
}


def parse(raw: object) -> Balance:
    """Read a balance algorithm; raises RefusedError with the forms that exist."""
    word = " ".join(text(raw).split())
    name = re.split(r"[ (]", word, maxsplit=1)[0].lower()
    if name not in _FORMS:
        close = get_close_matches(name, _FORMS, 1)
        guess = f"; did you mean {close[0]}?" if close else ""
        raise RefusedError(f"{shown(word)} is no algorithm of HAProxy{guess}", f"choose {words(list(_FORMS))}")
    word = name + word[len(name) :]
    pattern, form, (runtime, hashed, http) = _FORMS[name]
    if re.fullmatch(pattern, word, re.ASCII) is None:
        raise RefusedError(f"{shown(word)} is not how {name} is written", f"write {form}")
    if match := re.fullmatch(r"url_param\((.+)\)(.*)", word):  # ours, alike hdr(…); HAProxy wants a blank
        word = f"url_param {match[1]}{match[2]}"
    return Balance(word, runtime, hashed, http and word != "hash src")


def algorithm(raw: object) -> str:
    """Read a balance algorithm as the word for HAProxy."""
    return parse(raw).word
