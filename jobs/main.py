"""face0: faces in text-to-image, offline pipelines.

  face0 augment 'photos/*.tar' --embedder vggface2 --output shards    find and embed faces
  face0 init --preset small --fit-vae shards --output base             make a small base model
  face0 train --shards shards --base base --output model --steps 2000  train U-Net and projection
  face0 faces from-photos people --embedder vggface2 --output bank     faces as vectors
  face0 manifest --prompts FILE --faces bank --output manifest         what to render: prompts x faces x seeds
  face0 generate manifest --faces bank --model model --output renders  images, measures, a report
  face0 characters --model model --faces bank --scenes FILE ...        is it the same person in every scene?
  face0 audit --model model --space space --prompts FILE ...           what do the words alone do to the faces?
  face0 trace ID --in URI                                              where a face came from, and went
  face0 forget --photos DIR --threshold T --in URI                     removes a person
  face0 evaluate conditioning --model model --shards shards            does the face matter?
  face0 evaluate paper renders                                         the paper's tables
  face0 demo                                                           see it work on a few pictures

Every subcommand explains itself: face0 augment --help
"""

import importlib
import logging
import os
import re
import signal
import sys
import traceback
from collections.abc import Sequence
from contextlib import closing, redirect_stderr, redirect_stdout
from errno import EDQUOT, ENOSPC, EROFS
from functools import partial
from typing import NoReturn

from face0.errors import StorageError, UsageError
from face0.io.permissions import applied
from face0.io.secrets import PublicStream
from face0.runtime.ending import end_process
from face0.runtime.interruption import Interrupted, handled, raise_interrupted
from face0.runtime.progress import AroundBars, show_progress
from jobs.options.parser import permissions_of

# A job is imported when it is called for. None imports torch, Beam or diffusers before its command line is read.
JOBS = {
    "augment": "jobs.augment",
    "init": "jobs.init",
    "train": "jobs.train",
    "faces": "jobs.faces",
    "manifest": "jobs.manifest",
    "generate": "jobs.generate",
    "characters": "jobs.characters",
    "audit": "jobs.audit",
    "trace": "jobs.trace",
    "forget": "jobs.forget",
    "evaluate": "jobs.evaluate",
    "demo": "jobs.demo",
}
BEAMS_PLACE = re.compile(r" \[while running '.*'\]$")  # what Beam adds to an error of a worker
RESUMES = dict.fromkeys(
    ("augment", "train", "generate", "characters", "audit", "forget"), "; the same command goes on where it stood"
)


def run() -> NoReturn:
    """The command ``face0``: ends the process with the exit code of its job."""
    end_process(main())


def main(argv: Sequence[str] | None = None) -> int:
    """Runs a subcommand.

    Returns 0: done; 1: it ran, and too much failed; 2: wrong usage or configuration; 130 and 143: stopped by SIGINT and
    SIGTERM.
    """
    arguments = list(sys.argv[1:] if argv is None else argv)
    if not arguments or arguments[0] in ("-h", "--help"):
        print(__doc__)
        return 0 if arguments else 2
    name, *rest = arguments
    if name not in JOBS:
        print(f"face0: no job {name!r}: give one of {', '.join(JOBS)}", file=sys.stderr)
        return 2
    with (
        closing(open(os.devnull, "w")) as nowhere,  # where standard output or error is closed
        redirect_stdout(AroundBars(PublicStream(sys.stdout or nowhere))),
        redirect_stderr(AroundBars(PublicStream(sys.stderr or nowhere))),
        show_progress(),
    ):
        return _run(name, rest)


def _run(name: str, rest: Sequence[str]) -> int:
    log_to_stderr()
    try:
        stop_at_once = partial(raise_interrupted, tell=partial(_tell_stopped, name))
        with handled(stop_at_once), applied(permissions_of(rest)):
            return importlib.import_module(JOBS[name]).main(rest)
    except UsageError as error:
        print(f"face0 {name}: {BEAMS_PLACE.sub('', str(error))}", file=sys.stderr)
        return 2
    except StorageError as error:
        print(f"face0 {name}: {BEAMS_PLACE.sub('', str(error))}{RESUMES.get(name, '')}", file=sys.stderr)
        return 1
    except Exception as error:
        if isinstance(error, OSError) and error.errno in (ENOSPC, EDQUOT, EROFS):
            place = f" in {error.filename}" if error.filename else ""
            print(
                f"face0 {name}: nothing more can be written{place}: {error.strerror}{RESUMES.get(name, '')}",
                file=sys.stderr,
            )
            return 1
        traceback.print_exc()
        print(f"face0 {name}: broke off, see above{RESUMES.get(name, '')}", file=sys.stderr)
        return 1
    except (Interrupted, KeyboardInterrupt) as stop:
        signum = stop.signum if isinstance(stop, Interrupted) else signal.SIGINT
        _tell_stopped(name, signum)
        return 128 + signum


def _tell_stopped(name: str, signum: int) -> None:
    signal_name = signal.Signals(signum).name
    print(f"face0 {name}: stopped by {signal_name}{RESUMES.get(name, '')}", file=sys.stderr, flush=True)


class PlainLine(logging.Formatter):
    """A message as it is, after "warning: " or "error: " where it is one."""

    def format(self, record: logging.LogRecord) -> str:
        """One line, and a traceback if there is one."""
        line = super().format(record)
        return line if record.levelno < logging.WARNING else f"{record.levelname.lower()}: {line}"


def log_to_stderr() -> None:
    """Shows what the library says, and the errors of other libraries."""
    handler = logging.StreamHandler()
    handler.setFormatter(PlainLine())
    # Others warn at import of what is not installed and not needed here (Google's clients, for one).
    logging.basicConfig(level=logging.ERROR, handlers=[handler], force=True)
    for ours in ("face0", "pipelines"):
        logging.getLogger(ours).setLevel(logging.INFO)


if __name__ == "__main__":
    run()
