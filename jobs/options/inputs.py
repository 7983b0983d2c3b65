"""The options that say what is read of the rows of an input, and which of them are wanted."""

import argparse

from face0.readers.samples import Columns
from jobs.options.values import encoding, ending, names

_COLUMNS = {
    "image": "column of images",
    "caption": "column of captions, or the key of a JSON file's caption",
    "url": "column of URIs, whose images are fetched",
    "key": "column that names the rows",
}


def add_columns(parser: argparse.ArgumentParser) -> None:
    """Adds the options that ``columns_of`` reads, and those of further columns."""
    _add_names(parser.add_argument_group("columns, where their names do not tell"))
    _add_further(parser.add_argument_group("further columns, or fields of the JSON beside an image"))
    _add_beside(parser.add_argument_group("files beside images, in folders and tars"))


def columns_of(args: argparse.Namespace) -> Columns:
    """What to read of the rows, but for further columns."""
    return Columns(
        image=args.image_column,
        caption=args.caption_column,
        url=args.url_column,
        key=args.key_column,
        header=args.columns,
        encoding=args.encoding,
        caption_ending=args.caption_ending,
        image_member=args.image_member,
    )


def _add_names(group: argparse._ArgumentGroup) -> None:
    for name in _COLUMNS:
        group.add_argument(f"--{name}-column", metavar="NAME", help=_COLUMNS[name])
    group.add_argument("--columns", type=names, metavar="NAME,NAME,...",
        help="columns of CSV and TSV files without a header, in their order: caption,url")  # fmt: skip
    group.add_argument("--encoding", type=encoding, metavar="NAME",
        help="of captions and lists that are not UTF-8, UTF-16 or UTF-32: cp1252, shift_jis, gb18030, ...")  # fmt: skip


def _add_further(group: argparse._ArgumentGroup) -> None:
    group.add_argument("--where", metavar="CONDITION",
        help="rows that are wanted, as \"aesthetic >= 5.5 and punsafe < 0.5\"; the others "
        "are neither fetched nor decoded, and counted as filtered")  # fmt: skip
    group.add_argument("--keep-columns", type=lambda text: text.split(","), default=[], metavar="NAME[:TYPE],...",
        help="that come along into the shards; TYPE is string, int64, double or bool, and taken from the first rows "
        "where it is not given")  # fmt: skip


def _add_beside(group: argparse._ArgumentGroup) -> None:
    group.add_argument("--caption-ending", type=ending, metavar="ENDING",
        help="of the files that hold the captions, as txt or blip.txt (.txt, .caption, ... and .json are known)",
    )  # fmt: skip
    group.add_argument("--image-member", type=ending, metavar="ENDING",
        help="of the image that is read where several have one key, as png or seg.png (the first by name)",
    )  # fmt: skip
