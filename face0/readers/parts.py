"""The files of one key: which of them is the image of a row, and which hold its caption.

An image's own captions have its name with another ending, before or behind its own: ``a.txt`` and ``a.jpg.txt`` are
both of ``a.jpg``. A caption without an image of that name is shared by what lies under the key.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from face0.images.formats import IMAGE_EXTENSIONS, UNREAD_EXTENSIONS
from face0.io.text import composed
from face0.readers.captions import caption_endings, sidecar_caption
from face0.readers.samples import Columns
from face0.readers.uris import split_extension

_MAX_ENDING = 24  # characters of an ending that is named to a person
_OF_OTHERS = "mp4 mov avi webm mp3 wav xmp aae thm npy npz pt pth safetensors pkl pickle bin cls id index"
_NO_TEXT = frozenset(_OF_OTHERS.split())


@dataclass(frozen=True, kw_only=True)
class RowFiles:
    """The files of one row, by their names.

    Attributes:
        key: of the row.
        image: its image; None: there is none.
        sidecars: its captions by ending.
        others: how many further images lie under the key, which are not read.
        beside: endings of other files of this name.
    """

    key: str
    image: str | None = None
    sidecars: Mapping[str, str] = field(default_factory=dict)
    others: int = 0
    beside: tuple[str, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """The files that are read."""
        return (*([] if self.image is None else [self.image]), *self.sidecars.values())

    @property
    def is_whole(self) -> bool:
        """Whether there are an image and what should be its caption."""
        return self.image is not None and bool(self.sidecars)

    def without_image(self, first: str) -> str:
        """The message of a row that has none, whose first file is ``first``."""
        if self.others:
            return f"none of the {self.others:,} images beside {first} ends in what --image-member says"
        return f"no image lies beside {first}"

    @property
    def hint(self) -> str:
        """What may be why there is no caption; a part of a sentence, the same for many rows. Empty: nobody knows."""
        if self.sidecars:
            ending = next(iter(self.sidecars))
            if ending.rpartition(".")[2] == "json":
                return f"the .{ending} beside it has none under a known name: --caption-column names another"
            return f"the .{ending} beside it has no text"
        if self.beside:
            listed = ", ".join(f".{ending}" for ending in self.beside)
            return f"beside it lies {listed}: --caption-ending {self.beside[0]} reads it as the caption"
        return ""


def is_image(name: str) -> bool:
    """Whether a file is an image by its name, if maybe one that is not decoded."""
    extension = split_extension(name)[1]
    return extension in IMAGE_EXTENSIONS or extension in UNREAD_EXTENSIONS


def is_unread(name: str) -> bool:
    """Whether a file is an image of a format that is not decoded, by its name."""
    return split_extension(name)[1] in UNREAD_EXTENSIONS


def is_text_ending(ending: str) -> bool:
    """Whether a file with this ending may hold a caption, and the ending can be named to a person."""
    is_plain = 0 < len(ending) <= _MAX_ENDING and ending.replace(".", "").replace("_", "").isalnum()
    return is_plain and ending.rpartition(".")[2] not in _NO_TEXT


def split_caption(name: str, columns: Columns) -> tuple[str, str] | None:
    """Splits the name of a caption into what it is a caption of and its ending; None: it is no caption.

    >>> split_caption("a/b.jpg.TXT", Columns()), split_caption("a.v1.blip.txt", Columns(caption_ending="blip.txt"))
    (('a/b.jpg', 'txt'), ('a.v1', 'blip.txt'))
    """
    # Of the JSON beside an image values come along, whatever the caption is.
    for ending in (*caption_endings(columns.caption_ending), *(["json"] if columns.also else [])):
        stem = name[: -len(ending) - 1]
        if name.lower().endswith(f".{ending}") and stem and not stem.endswith("/"):
            return stem, ending
    return None


def caption_of(sidecars: Mapping[str, bytes], columns: Columns) -> str | None:
    """The caption of an image, from the contents of what lies beside it by ending. Raises NoText."""
    endings = caption_endings(columns.caption_ending)
    captions = {ending: data for ending, data in sidecars.items() if ending in endings}
    return sidecar_caption(captions, columns.caption, columns.encoding)


def rows_of_key(key: str, names: Sequence[str], columns: Columns) -> list[RowFiles]:
    """The rows that the files under a key make.

    - An image with a caption of its own name is a row, its key the path up to its last dot. Of several such images
      that differ in their ending alone one is chosen: the one that ``columns.image_member`` says, or the first by name
      that can be decoded. Only if each has a caption of its whole name, each is a row, and that name its key.
    - Images without are further images of the key's row, if there is one. Else they share the key's caption, if there
      is one, and one is chosen in the same way. Else each is a row that lacks its caption.
    - Captions of which nothing is an image make one row that lacks its image.
    """
    if len({composed(name) == name for name in names}) > 1:
        return _of_mixed_forms(key, names, columns)
    images = [name for name in names if is_image(name)]
    captions: dict[str, dict[str, str]] = {}  # by what they are captions of, and by ending
    beside: dict[str, None] = {}
    for name in names:
        if is_image(name):
            continue
        if (split := split_caption(name, columns)) is not None:
            captions.setdefault(split[0], {}).setdefault(split[1], name)
        elif is_text_ending(ending := _ending(key, name)):
            beside[ending] = None
    rows, free = _with_own_captions(images, captions, columns)
    at_key = next((number for number, row in enumerate(rows) if row.key == key), None)
    if at_key is not None:
        rows[at_key] = _also(rows[at_key], free, columns)
    elif free and key in captions:
        rows.append(_chosen(key, free, captions.pop(key), columns))
    elif free:
        beside |= dict.fromkeys(_ending(key, name) for sidecars in captions.values() for name in sidecars.values())
        captions.clear()
        rows += [replace(row, beside=tuple(beside)) for row in _without_captions(key, free, columns)]
    orphans = {
        ending: name
        for stem, sidecars in captions.items()
        for ending, name in sidecars.items()
        if not any(stem.startswith(f"{row.key}.") for row in rows)
    }
    return [*rows, RowFiles(key=key, sidecars=orphans)] if orphans or not rows else rows


def _of_mixed_forms(key: str, names: Sequence[str], columns: Columns) -> list[RowFiles]:
    """The rows of names of which some are composed and some are not: told by the one form, read by the other."""
    written = {composed(name): name for name in names}
    rows = rows_of_key(composed(key), list(written), columns)
    return [
        replace(
            row,
            image=row.image and written[row.image],
            sidecars={ending: written[name] for ending, name in row.sidecars.items()},
        )
        for row in rows
    ]


def _with_own_captions(
    images: Sequence[str], captions: dict[str, dict[str, str]], columns: Columns
) -> tuple[list[RowFiles], list[str]]:
    """The rows of images with captions of their own names, which are taken out; and the other images."""
    by_stem: dict[str, list[str]] = {}
    for name in images:
        by_stem.setdefault(split_extension(name)[0], []).append(name)
    rows, free = [], []
    for stem, of_stem in by_stem.items():
        named = {name: captions.pop(name) for name in of_stem if name in captions}
        shared = captions.pop(stem, {})
        if len(named) > 1 and not shared:
            rows += [RowFiles(key=name, image=name, sidecars=sidecars) for name, sidecars in named.items()]
            free += [name for name in of_stem if name not in named]
        elif named or shared:
            for sidecars in named.values():
                shared = {**sidecars, **shared}
            rows.append(_chosen(stem, of_stem, shared, columns))
        else:
            free += of_stem
    return rows, free


def _without_captions(key: str, images: Sequence[str], columns: Columns) -> list[RowFiles]:
    """One row if an image has the key's own name; else one for each name without its ending."""
    stems = {split_extension(name)[0] for name in images}
    if key in stems:
        return [_chosen(key, images, {}, columns)]
    groups: dict[str, list[str]] = {}
    for name in images:
        groups.setdefault(split_extension(name)[0], []).append(name)
    return [_chosen(stem, of_stem, {}, columns) for stem, of_stem in groups.items()]


def _chosen(key: str, images: Sequence[str], sidecars: Mapping[str, str], columns: Columns) -> RowFiles:
    """The row of one of some images; of none, if none is the one that is asked for."""
    member = columns.image_member
    fitting = [name for name in images if member is None or name.lower().endswith(f".{member.lower()}")]
    # One without a further name goes before its crops and masks.
    image = min(fitting, key=lambda name: (is_unread(name), name.count("."), name), default=None)
    return RowFiles(key=key, image=image, sidecars=sidecars, others=len(images) - (image is not None))


def _also(row: RowFiles, images: Sequence[str], columns: Columns) -> RowFiles:
    """A row to whose key further images belong."""
    if row.image is None and images:
        chosen = _chosen(row.key, images, row.sidecars, columns)
        return replace(chosen, others=chosen.others + row.others)
    return replace(row, others=row.others + len(images))


def _ending(key: str, name: str) -> str:
    """What is behind a key in a name, as far as it is of use to a person."""
    return name[len(key) + 1 :].lower() if name.startswith(f"{key}.") else split_extension(name)[1]
