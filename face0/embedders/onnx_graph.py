"""What an ONNX file says and onnxruntime does not tell: its first operations, and the files beside it.

The few fields of its format (onnx.proto) that this takes are declared here; what else a file holds is passed over.
"""

from collections.abc import Iterator
from enum import Enum
from typing import Any

import numpy as np
from google.protobuf.descriptor_pb2 import FieldDescriptorProto, FileDescriptorProto
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message import DecodeError
from google.protobuf.message_factory import GetMessageClass

_FIELDS: dict[str, dict[str, tuple[int, str]]] = {  # number and type; [] around a type: repeated
    "Entry": {"key": (1, "string"), "value": (2, "string")},
    "Tensor": {
        "data_type": (2, "int32"),
        "float_data": (4, "[float]"),
        "int32_data": (5, "[int32]"),
        "int64_data": (7, "[int64]"),
        "name": (8, "string"),
        "raw_data": (9, "bytes"),
        "double_data": (10, "[double]"),
        "external_data": (13, "[Entry]"),
        "data_location": (14, "int32"),
    },
    "Attribute": {
        "name": (1, "string"),
        "f": (2, "float"),
        "t": (5, "Tensor"),
        "g": (6, "Graph"),
        "floats": (7, "[float]"),
        "tensors": (10, "[Tensor]"),
        "graphs": (11, "[Graph]"),
    },
    "Node": {
        "input": (1, "[string]"),
        "output": (2, "[string]"),
        "op_type": (4, "string"),
        "attribute": (5, "[Attribute]"),
    },
    "Graph": {"node": (1, "[Node]"), "initializer": (5, "[Tensor]")},
    "Model": {"graph": (7, "Graph")},
}
_EXTERNAL = 1  # a tensor's data_location: in a file beside the model
_DTYPES = {1: np.float32, 2: np.uint8, 3: np.int8, 6: np.int32, 7: np.int64, 10: np.float16, 11: np.float64}
_PASSES = ("Cast", "Identity", "Transpose")  # operations that leave the values as they are
_STEPS = 16  # operations after the input that are looked at


class InputRange(Enum):
    """The values for which a model is made that brings them about zero by itself."""

    BYTES = "0..255"
    UNIT = "0..1"


def parse(data: bytes) -> Any:
    """The graph of a model that onnxruntime reads. Raises ValueError."""
    try:
        return _MODEL.FromString(data).graph
    except DecodeError as error:
        raise ValueError(str(error)) from error


def external_files(graph: Any) -> list[str]:
    """The files beside a model that hold weights of it, relative to its folder; sorted."""
    return sorted(
        {
            entry.value
            for tensor in _tensors(graph)
            if tensor.data_location == _EXTERNAL
            for entry in tensor.external_data
            if entry.key == "location"
        }
    )


def input_range(graph: Any, name: str) -> InputRange | None:
    """What values an input is made for, if the model itself begins by bringing them about zero; None: it does not.

    The constants that are added, multiplied and divided by, or those of a batch norm, tell: of values of 0..255 or of
    0..1 they must make some within a few units of zero.

    Args:
        graph: of ``parse``.
        name: of the input.
    """
    scale, shift, steps = np.ones(3), np.zeros(3), 0
    constants = {tensor.name: tensor for tensor in graph.initializer}
    constants |= {node.output[0]: _constant(node) for node in graph.node if node.op_type == "Constant"}
    for _ in range(_STEPS):
        following = [node for node in graph.node if name in node.input]
        if len(following) != 1:
            break
        (node,) = following
        name = node.output[0]
        if node.op_type in _PASSES:
            continue
        if (line := _line(node, constants)) is None:
            break
        scale, shift, steps = scale * line[0], shift * line[0] + line[1], steps + 1
    if not steps:
        return None
    if _is_about_zero(255 * scale, shift, 0.75):
        return InputRange.BYTES
    return InputRange.UNIT if _is_about_zero(scale, shift, 0.25) else None


def _is_about_zero(spread: np.ndarray, low: np.ndarray, lean: float) -> bool:
    """Whether values from ``low`` to ``low + spread`` lie about zero; their middle may lean off by so much of it."""
    width = np.abs(spread)
    return bool(((width >= 0.5) & (width <= 12) & (np.abs(low + spread / 2) <= lean * width)).all())


def _line(node: Any, constants: dict[str, Any]) -> tuple[np.ndarray, np.ndarray] | None:
    """Scale and shift of red, green and blue, [3] each or of all, that an operation applies; None: it does others."""
    values = [_values(constants.get(name)) for name in node.input]
    if node.op_type == "BatchNormalization" and len(values) == 5:
        gamma, beta, mean, variance = values[1:]
        if gamma is None or beta is None or mean is None or variance is None:
            return None
        epsilon = next((attribute.f for attribute in node.attribute if attribute.name == "epsilon"), 1e-5)
        scale = gamma / np.sqrt(variance + epsilon)
        return scale, beta - mean * scale
    if node.op_type not in ("Add", "Sub", "Mul", "Div") or len(values) != 2:
        return None
    first, second = values
    if (first is None) == (second is None):
        return None
    constant = first if second is None else second
    assert constant is not None
    one = np.ones_like(constant)
    if node.op_type == "Add":
        return one, constant
    if node.op_type == "Mul":
        return constant, 0 * one
    if node.op_type == "Sub":
        return (one, -constant) if first is None else (-one, constant)
    return (one / constant, 0 * one) if first is None and constant.all() else None


def _values(tensor: Any) -> np.ndarray | None:
    """The one or three numbers of a constant, float64 [3]; None: it is none, or has others."""
    if tensor is None or tensor.data_location == _EXTERNAL or tensor.data_type not in _DTYPES:
        return None
    dtype = _DTYPES[tensor.data_type]
    if tensor.raw_data:
        values = np.frombuffer(tensor.raw_data, dtype) if len(tensor.raw_data) <= 24 else np.empty(0)
    elif tensor.data_type == 10:  # as the bits of 16
        values = np.array(tensor.int32_data[:4], np.uint16).view(np.float16)
    else:
        numbers = tensor.float_data or tensor.double_data or tensor.int64_data or tensor.int32_data
        values = np.array(numbers[:4])
    return np.broadcast_to(values.astype(np.float64), 3) if len(values) in (1, 3) else None


def _constant(node: Any) -> Any:
    """What a Constant node holds, as a tensor; None: another kind of value."""
    for attribute in node.attribute:
        if attribute.name == "value":
            return attribute.t
        if attribute.name in ("value_float", "value_floats"):
            return _MESSAGES["Tensor"](data_type=1, float_data=[*attribute.floats] or [attribute.f])
    return None


def _tensors(graph: Any) -> Iterator[Any]:
    yield from graph.initializer
    for node in graph.node:
        for attribute in node.attribute:
            yield from (attribute.t, *attribute.tensors)
            for inner in (attribute.g, *attribute.graphs) if attribute.HasField("g") or attribute.graphs else ():
                yield from _tensors(inner)


def _declared(fields: dict[str, dict[str, tuple[int, str]]]) -> dict[str, Any]:
    """Message classes with these fields."""
    file = FileDescriptorProto(name="face0/onnx.proto", package="face0", syntax="proto2")
    for message, declared in fields.items():
        descriptor = file.message_type.add(name=message)
        for name, (number, kind) in declared.items():
            _declare(descriptor.field.add(name=name, number=number), kind)
    pool = DescriptorPool()
    pool.Add(file)
    return {name: GetMessageClass(pool.FindMessageTypeByName(f"face0.{name}")) for name in fields}


def _declare(field: Any, kind: str) -> None:
    plain = kind.strip("[]")
    field.label = FieldDescriptorProto.LABEL_REPEATED if plain != kind else FieldDescriptorProto.LABEL_OPTIONAL
    if plain in _FIELDS:
        field.type, field.type_name = FieldDescriptorProto.TYPE_MESSAGE, f".face0.{plain}"
    else:
        field.type = getattr(FieldDescriptorProto, f"TYPE_{plain.upper()}")


_MESSAGES = _declared(_FIELDS)
_MODEL = _MESSAGES["Model"]
