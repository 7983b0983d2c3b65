"""Names as they are kept: bounded, and without content."""

import base64
import os
from urllib.parse import quote

import pytest

from face0.io.names import MAX_KEY_CHARS, MAX_MESSAGE_CHARS, MAX_SOURCE_CHARS, kept_key, kept_message, kept_source
from face0.readers.samples import Sample
from face0.tasks.task_output import failure_record
from schemas.failures import Failure, Reason, Stage

PHOTOGRAPH = base64.b64encode(os.urandom(3000)).decode()


@pytest.mark.parametrize(
    "form",
    [
        "data:image/jpeg;base64,{}",
        " DATA:image/jpeg;base64,{}",
        "data:image/jpeg;name=" + "x" * 300 + ";base64,{}",
        "data:{}",
        "/9j/{}",
        "s3://bucket/folder/{}",
        "https://host/a.jpg?thumbnail=data:image/jpeg;base64,{}",
        "https://host/a.jpg?thumbnail={}",
        "the image (data:image/jpeg;base64,{}) was not read",
        "a caption of many words " * 100 + "{}",
    ],
)
def test_no_name_holds_a_photograph(form):
    text = form.format(PHOTOGRAPH)
    for keep, most in ((kept_key, MAX_KEY_CHARS), (kept_source, MAX_SOURCE_CHARS), (kept_message, MAX_MESSAGE_CHARS)):
        kept = keep(text)
        assert len(kept) <= most
        assert not any(PHOTOGRAPH[i : i + 80] in kept for i in range(0, len(PHOTOGRAPH), 40))
        assert keep(kept) == kept
    other = form.format(base64.b64encode(os.urandom(3000)).decode())
    assert kept_key(text) != kept_key(other)
    assert kept_source(text) != kept_source(other)


@pytest.mark.parametrize(
    "text",
    [
        "000012345",
        "https://lh3.googleusercontent.com/" + "aB3_" * 100,
        "https://ja.wikipedia.org/wiki/" + quote("漢" * 50),
        "s3://bucket/photos/" + "/".join(f"folder.{i}" for i in range(30)) + "/a.jpg#member.jpg",
        "data:sha",
    ],
)
def test_honest_names_stay(text):
    assert kept_source(text) == text


def test_rows_and_failures_keep_names_alike():
    uri = f"data:image/png;base64,{PHOTOGRAPH}"
    sample = Sample(key=uri, source=uri, caption="a", data=b"")
    record = failure_record(
        Failure(key=uri, source=uri, stage=Stage.READ, reason=Reason.NO_CAPTION, message=f"{uri} has no caption")
    )
    assert (record["key"], record["source"]) == (sample.key, sample.source)
    assert not any(PHOTOGRAPH[:80] in value for value in (sample.key, sample.source, *record.values()))
