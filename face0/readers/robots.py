"""What servers say about the use of an image: the header ``X-Robots-Tag``."""

import re
from collections.abc import Iterable

# A comma-separated list of directives, each of which may be for one agent: "noindex", "face0: noai, noindex".
_OPT_OUT = frozenset({"noai", "noimageai"})
# These have a colon themselves.
_WITH_VALUE = frozenset({"max-image-preview", "max-snippet", "max-video-preview", "unavailable_after"})


def opts_out(headers: Iterable[str], agents: Iterable[str]) -> str | None:
    """The directive by which a server keeps an image from being used to train models; None if it does not.

    Args:
        headers: the values of ``X-Robots-Tag``.
        agents: names that directives for one agent are ours by, in lower case.
    """
    names = frozenset(agents)
    for header in headers:
        is_ours = True
        for part in header.lower().split(","):
            agent, colon, directive = (text.strip() for text in part.partition(":"))
            if colon and agent not in _WITH_VALUE:  # it holds for the directives that follow too
                is_ours = agent in names or agent == "*"
            else:
                directive = agent
            # Some servers have other separators.
            said = _OPT_OUT.intersection(re.split(r"[\s;]+", directive)) if is_ours else ()
            if said:
                return min(said)
    return None
