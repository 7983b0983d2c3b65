"""Bytes as text, in whichever encoding can be told."""

import pytest

from face0.io.text import BadEncoding, composed, decode_text, wide_encoding


@pytest.mark.parametrize("text", ["a caf\xe9 \u2019", "ab", "", "two\nlines of text \U0001f600"])
@pytest.mark.parametrize(
    "encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-le", "utf-32-be"]
)
def test_unicode_is_told(text, encoding):
    assert decode_text(text.encode(encoding)) == text


@pytest.mark.parametrize("encoding", ["cp1252", "shift_jis", "gb18030", "latin-1"])
def test_other_encodings_are_not_guessed(encoding):
    text = "caf\xe9s" if encoding in ("cp1252", "latin-1") else "\u65e5\u672c"
    with pytest.raises(BadEncoding):
        decode_text(text.encode(encoding))
    assert decode_text(text.encode(encoding), encoding) == text
    assert decode_text(text.encode(), encoding) == text


@pytest.mark.parametrize("data", [b"caption\0\0\0", b"a\0b", b"plain", b"\0"])
def test_stray_zeros_make_no_wide_text(data):
    assert wide_encoding(data) is None
    assert decode_text(data) == data.decode()


def test_names_compare_composed():
    assert composed("Jose\u0301") == composed("Jos\xe9") != composed("Jose")
