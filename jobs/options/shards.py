"""The options of jobs that read face shards."""

from jobs.options.parser import Options

SHARDS = "output of face0 augment, or Parquet that another tool has made of one: files, folders, patterns"


def add_embedder_from(options: Options) -> None:
    """Adds the option that says what made the embeddings of Parquet whose writer has dropped the metadata."""
    options.add_argument(
        "--embedder-from", metavar="URI",
        help="output of augment, its README.md, or a bank, which say what made the embeddings of shards that another "
        "tool has written and that do not say so themselves",
    )  # fmt: skip
