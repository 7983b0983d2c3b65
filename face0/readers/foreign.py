"""Containers that are not read: what they are, and what makes one of ours of them."""

_GUIDE = "docs/how-to/read-your-format.md"

_REMEDIES = {
    "zip": "a ZIP archive, which is not read: unpack it, `unzip FILE -d FOLDER`, and name the folder",
    "7z": "a 7z archive, which is not read: unpack it, `7z x FILE -oFOLDER`, and name the folder",
    "rar": "a RAR archive, which is not read: unpack it, `unrar x FILE FOLDER/`, and name the folder",
    "cab": "an archive, which is not read: unpack it, and name the folder",
    "tar.lz4": "a tar packed by LZ4, which is not read: `lz4 -d FILE`, and name the tar",
    "tar.br": "a tar packed by Brotli, which is not read: `brotli -d FILE`, and name the tar",
    "tar.lzo": "a tar packed by LZO, which is not read: `lzop -d FILE`, and name the tar",
    "tar.z": "a tar packed by compress, which is not read: `uncompress FILE`, and name the tar",
    "tfrecord": f"a TFRecord file, which is not read: {_GUIDE} has the command that makes a tar of it",
    "mds": f"a shard of MosaicML's MDS, which is not read: {_GUIDE} has the command that makes tars of the data set",
    "rec": f"a RecordIO file of MXNet, which is not read: {_GUIDE} says what to write instead",
    "beton": f"a file of FFCV, which is not read: {_GUIDE} says what to write instead",
    "mdb": f"an LMDB database, which is not read: {_GUIDE} says what to write instead",
    "h5": f"an HDF5 file, which is not read: {_GUIDE} says what to write instead",
    "npz": f"arrays of NumPy, which are not read: {_GUIDE} says what to write instead",
    "pkl": f"a pickle, which is never read: {_GUIDE} says what to write instead",
    "xlsx": "a spreadsheet, which is not read: save it as CSV",
    "tar": "name tars as inputs of their own",
    "parquet": "name Parquet files as inputs of their own",
    "arrow": "name Arrow files as inputs of their own",
    "csv": "name lists as inputs of their own",
}
_ALIKE = {
    "tfrecords": "tfrecord",
    "hdf5": "h5",
    "lmdb": "mdb",
    "npy": "npz",
    "pickle": "pkl",
    "xls": "xlsx",
    "ods": "xlsx",
    "tar.gz": "tar",
    "tgz": "tar",
    "tar.zst": "tar",
    "tar.bz2": "tar",
    "tar.xz": "tar",
    "feather": "arrow",
    "tsv": "csv",
    "jsonl": "csv",
    "ndjson": "csv",
}
_LISTS = frozenset({"csv", "tsv", "jsonl", "ndjson", "json", "parquet", "arrow"})
_PACKED = frozenset({"gz", "zst", "lz4", "br", "bz2", "xz", "lzo", "z"})


def ending_of(name: str) -> str:
    """The ending of a container, with that of its packing: ``a.tar.gz`` -> ``tar.gz``, ``a.v1.tar`` -> ``tar``."""
    parts = name.rpartition("/")[2].lower().split(".")[1:]
    # mds.zstd is what streaming writes
    if len(parts) > 1 and (parts[-1] in _PACKED or parts[-1] == "zstd") and parts[-2] in ("tar", "mds", "tfrecord"):
        return parts[-2] if parts[-2] != "tar" else f"tar.{parts[-1]}"
    if len(parts) > 1 and parts[-1] in _PACKED and parts[-2] in _LISTS:
        return f"{parts[-2]}.{parts[-1]}"
    return parts[-1] if parts else ""


def remedy(name: str) -> str | None:
    """What a file is that is not read where it lies, and what can be done; None: nobody knows."""
    ending = ending_of(name)
    inner, _, packing = ending.partition(".")
    if inner in _LISTS and packing:
        return f"a packed file, which is not read: unpack it (gunzip, zstd -d, xz -d, ...), and name the .{inner}"
    return _REMEDIES.get(_ALIKE.get(ending, ending))
