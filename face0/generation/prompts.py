"""Lists of prompts."""

from face0.errors import UsageError
from face0.io.tables import as_text, file_format, read_rows, read_text


def read_prompts(uri: str) -> list[str]:
    """The prompts of a file: its lines, or the column ``prompt`` of a Parquet, CSV, TSV or JSONL file. Each once.

    Raises:
        UsageError: it cannot be read, or holds none.
    """
    if file_format(uri) == "txt":
        prompts = read_text(uri).splitlines()
    else:
        table = read_rows(uri)
        names = [name for name in table.column_names if name.lower() == "prompt"]
        if len(names) != 1:
            raise UsageError(f"{uri} has no column prompt, only {', '.join(table.column_names)}")
        prompts = [prompt or "" for prompt in as_text(table[names[0]]).to_pylist()]
    prompts = list(dict.fromkeys(prompt.strip() for prompt in prompts if prompt.strip()))
    if not prompts:
        raise UsageError(f"{uri} holds no prompts: give one on each line")
    return prompts
