"""The tidy table of an audit or of characters: a row for each figure, with how sure it is."""

import pyarrow as pa

VERSION = "1"

MEASURES = pa.schema(
    [
        pa.field("measure", pa.string(), nullable=False),  # its name: docs/reference/measures.md has the definitions
        pa.field("encoder", pa.string(), nullable=False),  # judge, conditioning, picture, pose; empty: none
        pa.field("arm", pa.string(), nullable=False),  # label of the images
        pa.field("settings", pa.string(), nullable=False),  # those that vary, in words; empty: none does
        pa.field("against", pa.string()),  # the arm that was subtracted; null: none
        pa.field("prompt", pa.string()),  # null: of all prompts
        pa.field("group", pa.string()),  # of a label, or of a part of the variance; null: none
        pa.field("value", pa.float64()),  # null: there is not enough to tell
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
    ],
    metadata={"face0.schema": "measures", "face0.version": VERSION},
)
