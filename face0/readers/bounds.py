"""How much a container may unpack to, and how much of it is held.

What a header, a footer or a compressed stream says of itself costs its writer nothing: neither time nor memory may
follow from it. They follow from the bytes that are there.
"""

from dataclasses import dataclass

UNPACKED_PER_BYTE = 100  # text packs 3 to 20 times, photographs hardly
UNPACKED_FLOOR = 16 * 2**20  # unpacked whatever the number of packed bytes

MAX_IMAGE_BYTES = 256 * 2**20  # a larger file in a container is no photograph
MAX_SIDECAR_BYTES = 8 * 2**20  # of a caption; its JSON may become 25 times as much

MAX_ARROW_BATCH_BYTES = 256 * 2**20  # of a record batch: save_to_disk puts 100 images into one

# Members of a tar that wait for the other half of their row.
MAX_WAITING_BYTES = 64 * 2**20
MAX_WAITING_ROWS = 100_000

# Memory that a reader takes at most beside the images it hands out: a record or sidecar of JSON whose values are all
# small objects takes the most.
READER_BYTES = 384 * 2**20


@dataclass
class Unpacked:
    """Counts what goes into a decompressor and what comes out.

    Attributes:
        packed: bytes so far.
        unpacked: bytes so far.
    """

    packed: int = 0
    unpacked: int = 0

    @property
    def limit(self) -> int:
        """What may have come out by now."""
        return UNPACKED_FLOOR + UNPACKED_PER_BYTE * self.packed

    @property
    def is_bomb(self) -> bool:
        """Whether more has come out."""
        return self.unpacked > self.limit

    def __str__(self) -> str:
        return f"it unpacks to more than {UNPACKED_PER_BYTE} times its size and {UNPACKED_FLOOR:,} bytes"
