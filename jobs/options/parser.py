"""The parser that every job begins with."""

import argparse


def job_parser(job: str, doc: str | None) -> argparse.ArgumentParser:
    """A parser that shows the job's docstring as it stands, and takes no shortened options."""
    return argparse.ArgumentParser(
        f"face0 {job}", description=doc, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )
