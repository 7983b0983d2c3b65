"""The tidy table of an audit or of characters: a row for each figure, with how sure it is.

Which rows there are follows from what was asked for (arms, settings, prompts, faces, labels), never from what came of
it: a figure that could not be had is a row without a value, which says why.
"""

from enum import StrEnum

import pyarrow as pa

VERSION = "2"  # version 1 had no reason, and no rows of what could not be measured
SUMMARY_VERSION = 2  # of summary.json; version 1 did not say its version, and left out what could not be measured


class Unmeasured(StrEnum):
    """Why a measure has no value. A closed list, for people to read and for scripts to compare."""

    NO_IMAGE = "no image was rendered"
    NO_FACE = "no face was found"
    NO_JUDGE = "rendered without --judge"
    NO_EMBEDDER = "rendered without --embedder"
    NO_CLIP = "rendered without --clip"
    NO_PORTRAIT = "the bank has no portrait"
    NO_INPUT = "no face was given, or the vector asked for is not known"
    ONE_INPUT = "it takes two vectors that were asked for"
    ONE_VECTOR = "it takes several vectors that come back in several prompts"
    ONE_PROMPT = "it takes faces of two prompts"
    ONE_CHARACTER = "it takes two characters"
    NOT_APART = "vector and seed do not vary independently of one another"
    FEW_PAIRS = "it takes two faces that share neither seed nor vector"
    FEW_GROUPS = "it takes three groups of images that share neither seed nor vector"
    FEW_FACES = "too few faces"
    FEW_REFERENCES = "the reference has too few vectors"
    NO_PAIR = "no two images to compare"
    SMALL_FACES = "no face is large enough in its thumbnail"
    NO_ARM = "the manifest has no such arm"
    OTHER_SETTINGS = "several arms have that name, and none of them these settings"
    NOT_ASKED_FOR = "no face of this group was asked for"
    NO_MIXTURE = "no mixture of labelled faces could look like these"
    BOUNDS = "bounds only, there is no estimate"


MEASURES = pa.schema(
    [
        pa.field("measure", pa.string(), nullable=False),  # its name: docs/reference/measures.md has the definitions
        pa.field("encoder", pa.string(), nullable=False),  # judge, conditioning, picture, pose; empty: none
        pa.field("arm", pa.string(), nullable=False),  # label of the images
        pa.field("settings", pa.string(), nullable=False),  # those that vary, in words; empty: none does
        pa.field("against", pa.string()),  # the arm that was subtracted; null: none
        pa.field("prompt", pa.string()),  # null: of all prompts
        pa.field("group", pa.string()),  # of a label, or of a part of the variance; null: none
        pa.field("value", pa.float64()),  # null: it could not be measured, see reason
        pa.field("low", pa.float64()),  # lower end of the 95 % interval
        pa.field("high", pa.float64()),  # its upper end
        pa.field("error", pa.float64()),  # standard error
        pa.field("null_value", pa.float64()),  # what the value is where there is no effect; null: it has no such
        pa.field("p", pa.float64()),  # of a permutation test
        pa.field("q", pa.float64()),  # the same after false-discovery control over the prompts
        pa.field("smallest_effect", pa.float64()),  # that a test at 5 % would have found here with 80 % power
        pa.field("images", pa.int64(), nullable=False),  # that count
        pa.field("reference", pa.string(), nullable=False),  # what it is compared with, by name; empty: with nothing
        # For whom the interval speaks: other "vectors" (and seeds) with these prompts, other "prompts and vectors", or
        # other "characters"
        pa.field("over", pa.string(), nullable=False),
        pa.field("reason", pa.string()),  # why there is no value; null: there is one
    ],
    metadata={"face0.schema": "measures", "face0.version": VERSION},
)
