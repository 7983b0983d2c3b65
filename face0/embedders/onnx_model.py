"""A recogniser in ONNX: its file with the files beside it, and how it is called, found out by calling it."""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnxruntime

from face0.embedders import onnx_graph
from face0.embedders.interface import in_batches
from face0.embedders.weights import read_file, refuse_other_digest
from face0.errors import StorageError, UsageError
from face0.io.folder import Folder

_DTYPES = {
    "tensor(float)": np.float32,
    "tensor(float16)": np.float16,
    "tensor(double)": np.float64,
    "tensor(uint8)": np.uint8,
}
_LAYOUTS = {"NCHW": (1, (2, 3)), "NHWC": (3, (1, 2))}  # axis of the channels, and those of height and width
_VECTOR = 16  # values from which on an output is more likely a face's vector than its age, pose or norm
_SAME = 0.02  # of its length, by which the vector of a face may differ with what is beside it: half precision

Crops = np.ndarray
"""What a model is given for some faces: [n, size, size, 3], its colours in the model's order and range."""


@dataclass(frozen=True, kw_only=True)
class OnnxFile:
    """A model file in memory.

    Attributes:
        data: its bytes.
        graph: what ``onnx_graph.parse`` makes of these; None: it is no model.
        beside: those of the files beside it that hold its weights, by their names in it.
        digest: SHA-256 of the file, and after it of those beside it, sorted by name.
    """

    data: bytes
    graph: Any
    beside: Mapping[str, bytes]
    digest: str


def read_model(uri: str, sha256: str | None) -> OnnxFile:
    """Reads a model of any file system, with the files beside it that hold its weights.

    Raises:
        UsageError: it or one of these is not there, or their digest is another.
    """
    data = read_file(uri, "name an .onnx file that is there, as onnx:URI")
    try:
        graph = onnx_graph.parse(data)
    except ValueError:  # which onnxruntime will say in its words
        graph = None
    beside = {name: _read_beside(uri, name) for name in onnx_graph.external_files(graph)} if graph else {}
    digest = hashlib.sha256(data)
    for held in beside.values():
        digest.update(held)
    refuse_other_digest(uri, digest.hexdigest(), sha256)
    return OnnxFile(data=data, graph=graph, beside=beside, digest=digest.hexdigest())


def _read_beside(uri: str, name: str) -> bytes:
    folder, _ = Folder.of_file(uri)
    try:
        with folder.open(name.removeprefix("./")) as file:
            return file.read()
    except StorageError:
        raise
    except (OSError, UsageError) as error:
        raise UsageError(
            f"{uri} keeps its weights in {name!r} beside it, which cannot be read: put that file into the same folder"
        ) from error


class OnnxModel:
    """A model that takes faces and gives vectors.

    Attributes:
        size: pixels a side of its input.
        takes_bytes: whether its input is uint8.
        range: of the values that it is made for, if it normalises them itself.
        output: name of the output that is the vector; known after ``settle``.
        first: name of the first output.
        dim: length of a vector; likewise.
    """

    def __init__(self, uri: str, file: OnnxFile, size: int | None) -> None:
        """Opens a model.

        Args:
            uri: names it in messages.
            file: what it is.
            size: pixels a side of its input, where the model does not say.

        Raises:
            UsageError: onnxruntime does not read it, or it does not take faces.
        """
        self._uri = uri
        self._session = _session(uri, file)
        inputs = self._session.get_inputs()
        if len(inputs) != 1:
            names = ", ".join(f"{given.name} {given.shape}" for given in inputs)
            raise UsageError(f"{uri} takes {len(inputs)} inputs ({names}): give a model of one, the faces")
        (given,) = inputs
        self._input = given.name
        self._says = f"{given.name} {given.shape} of {given.type}"
        if given.type not in _DTYPES:
            raise UsageError(f"{uri} takes {self._says}: give a model of float, float16 or uint8")
        self._dtype = _DTYPES[given.type]
        self._layouts = [name for name, (axis, _) in _LAYOUTS.items() if _may_be(given.shape, axis)]
        if not self._layouts:
            raise UsageError(f"{uri} takes {self._says}: give a model of faces in colour, [N, 3, size, size]")
        self.size = self._side(given.shape, size)
        batch = given.shape[0]
        self._batch: int | None = batch if isinstance(batch, int) else None
        self.takes_bytes = self._dtype == np.uint8
        self.range = onnx_graph.input_range(file.graph, self._input) if file.graph else None
        self.first = self._session.get_outputs()[0].name
        self.output, self.dim = "", 0

    def settle(self, prepare: Callable[[np.ndarray], Crops], output: str | None) -> None:
        """Finds out how the model is called, by giving it one face and two.

        Args:
            prepare: from crops, uint8 [n, size, size, 3], to what the model is given.
            output: name of the vector; None: the output that can only be it.

        Raises:
            UsageError: it does not run, no output or more than one may be the vector, or a face's vector depends on
                what is beside it.
        """
        faces = prepare(_patterns(self.size))
        outputs = self._first_call(faces)
        self.output = self._choose(outputs, output)
        one = outputs[self.output]
        self.dim = one.shape[1]
        if not np.isfinite(one).all():
            raise UsageError(
                f"{self._uri} gives {self.output} that is not all numbers: is it fed as it was trained? Say so by "
                "--onnx-mean, --onnx-std and --onnx-channels"
            )
        self._find_batch(faces)

    def __call__(self, crops: Crops) -> np.ndarray:
        """The vectors of faces: float32 [n, dim]."""
        if self._batch is None:
            return in_batches(self._vectors, crops, self.dim)
        return in_batches(self._vectors, crops, self.dim, always_full=True, size=self._batch)

    def _side(self, shape: Sequence[Any], asked: int | None) -> int:
        axes = _LAYOUTS[self._layouts[0]][1]
        sides = {shape[axis] for axis in axes if isinstance(shape[axis], int)}
        if len(sides) > 1:
            raise UsageError(f"{self._uri} takes {self._says}: give a model of square faces")
        said = next(iter(sides), None) or asked
        if said is None:
            raise UsageError(f"{self._uri} takes {self._says}, not [N, 3, size, size]: give --onnx-size")
        if asked is not None and asked != said:
            raise UsageError(f"{self._uri} takes {self._says}: leave out --onnx-size {asked}, or give {said}")
        return int(said)

    def _first_call(self, faces: Crops) -> dict[str, np.ndarray]:
        """All outputs that may be vectors, of one face, [1, d] each; settles the layout and a batch of one."""
        why = ""
        for batch in (self._batch,) if self._batch else (None, 1):
            for layout in self._layouts:
                self._layout = layout
                try:
                    outputs = self._run(np.repeat(faces[:1], batch or 1, axis=0))
                except Exception as error:  # onnxruntime's exceptions share no base class
                    why = why or _first_line(error)
                else:
                    return {name: held[:1] for name, held in outputs.items()}
        raise UsageError(f"{self._uri} takes {self._says}, and does not run on a face: {why}")

    def _choose(self, vectors: Mapping[str, np.ndarray], asked: str | None) -> str:
        names = [given.name for given in self._session.get_outputs()]
        listed = ", ".join(
            f"{name} ({vectors[name].shape[1]} values)" if name in vectors else f"{name} (no vector)" for name in names
        )
        if asked is not None:
            if asked not in vectors:
                raise UsageError(f"{self._uri} has no vector --onnx-output {asked}; it has {listed}")
            return asked
        likely = [name for name, held in vectors.items() if held.shape[1] >= _VECTOR]
        if len(names) == 1:
            likely = [name for name, held in vectors.items() if held.shape[1] > 1]
        if len(likely) == 1:
            return likely[0]
        if likely:
            raise UsageError(f"{self._uri} has several outputs: name the vector by --onnx-output; it has {listed}")
        shapes = ", ".join(f"{given.name} {given.shape}" for given in self._session.get_outputs())
        raise UsageError(f"{self._uri} gives {shapes}, and none is a vector of a face: give a recogniser of faces")

    def _find_batch(self, faces: Crops) -> None:
        """Settles how many faces go in at once: as many as the model is made for, if one does not change another."""
        if self._batch == 1:
            return
        beside = faces[[0, 1] + [1] * ((self._batch or 2) - 2)]
        turned = beside[[1, 0, *range(2, len(beside))]]
        try:
            alone = [self._vectors(faces[i : i + 1])[0] for i in (0, 1)] if self._batch is None else None
            first, second = self._vectors(beside), self._vectors(turned)
        except Exception:  # as above: what takes any number by its own account does not
            self._batch = 1
            return
        pairs = [(first[0], second[1]), (first[1], second[0])]
        pairs += zip(alone, first, strict=False) if alone else []
        if all(np.linalg.norm(a - b) <= _SAME * np.linalg.norm(a) for a, b in pairs):
            return
        if self._batch is not None:
            raise UsageError(
                f"{self._uri} takes {self._batch} faces at once and gives a face another vector with others beside it: "
                "export it for one face, [1, 3, size, size]"
            )
        self._batch = 1

    def _vectors(self, crops: Crops) -> np.ndarray:
        return self._run(crops, [self.output])[self.output]

    def _run(self, crops: Crops, names: Sequence[str] | None = None) -> dict[str, np.ndarray]:
        """The outputs that are a vector of each of n faces: float32 [n, d]."""
        given = crops.transpose(0, 3, 1, 2) if self._layout == "NCHW" else crops
        names = names or [output.name for output in self._session.get_outputs()]
        outputs = self._session.run(names, {self._input: np.ascontiguousarray(given, self._dtype)})
        vectors = {name: _as_vectors(held, len(crops)) for name, held in zip(names, outputs, strict=True)}
        return {name: held for name, held in vectors.items() if held is not None}


def _session(uri: str, file: OnnxFile) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1  # several batches run beside each other
    options.log_severity_level = 3
    if file.beside:
        held = [*file.beside.values()]
        options.add_external_initializers_from_files_in_memory([*file.beside], held, [len(part) for part in held])
    try:
        return onnxruntime.InferenceSession(file.data, options, providers=onnxruntime.get_available_providers())
    except Exception as error:  # onnxruntime's exceptions share no base class
        raise UsageError(f"{uri} is not a model that onnxruntime reads: {_first_line(error)}") from error


def _may_be(shape: Sequence[Any], channels: int) -> bool:
    return len(shape) == 4 and (shape[channels] == 3 or not isinstance(shape[channels], int))


def _as_vectors(output: Any, count: int) -> np.ndarray | None:
    """An output as vectors of so many faces, float32 [count, d]; None: it is none, as a map or a label."""
    if not isinstance(output, np.ndarray) or output.dtype.kind != "f" or not output.size or output.size % count:
        return None
    inner = output.shape[1:] if output.ndim and output.shape[0] == count else output.shape
    if sum(side > 1 for side in inner) > 1:
        return None
    return output.reshape(count, -1).astype(np.float32)


def _patterns(size: int) -> np.ndarray:
    """Two pictures that have little in common, uint8 [2, size, size, 3]."""
    rng = np.random.default_rng(0)
    patches = rng.integers(0, 256, (2, 8, 8, 3), dtype=np.uint8)
    place = np.arange(size) * 8 // size
    return patches[:, place][:, :, place]


def _first_line(error: Exception) -> str:
    lines = str(error).strip().splitlines() or [type(error).__name__]
    return lines[0][:300]
