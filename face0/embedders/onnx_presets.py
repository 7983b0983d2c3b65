"""What recognisers that people have want of their input, each as its authors feed it.

All take a crop of 112 x 112 pixels whose five points lie on ArcFace's (``face0.detection.alignment.ARCFACE_POINTS``):
the authors of each cut their crops with these very numbers. dlib's chip is another crop, and its models are not here.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from face0.embedders.normalisation import BYTES_STD, HALF, IMAGENET_MEAN, IMAGENET_STD, NO_MEAN, Triple


@dataclass(frozen=True, kw_only=True)
class OnnxPreset:
    """How faces are given to a model: ``(value / 255 - mean) / std``, aligned on ArcFace's five points.

    Attributes:
        mean: of red, green and blue, 0..1.
        std: of red, green and blue.
        bgr: whether blue comes first.
        size: pixels a side of the crop.
        files: names under which it is published, by which it is known where nothing else is said.
    """

    mean: Triple
    std: Triple
    bgr: bool = False
    size: int = 112
    files: tuple[str, ...] = ()


PRESETS: Mapping[str, OnnxPreset] = {
    # buffalo_l, buffalo_s and antelopev2 of InsightFace: python-package/insightface/model_zoo/arcface_onnx.py gives
    # RGB, mean and std 127.5; those converted from MXNet hold their own, as the graph tells (there as here).
    "insightface": OnnxPreset(mean=HALF, std=HALF, files=("w600k_r50.onnx", "w600k_mbf.onnx", "glintr100.onnx")),
    # OpenCV Zoo: FaceRecognizerSF::feature in modules/objdetect/src/face_recognize.cpp gives RGB in 0..255.
    "sface": OnnxPreset(
        mean=NO_MEAN,
        std=BYTES_STD,
        files=("face_recognition_sface_2021dec.onnx", "face_recognition_sface_2021dec_int8.onnx"),
    ),
    # mk-minchul/AdaFace: to_input of inference.py gives BGR, mean and std 0.5. A second output is the vector's length.
    "adaface": OnnxPreset(mean=HALF, std=HALF, bgr=True),
    # otroshi/edgeface: the transform of its README gives RGB, mean and std 0.5.
    "edgeface": OnnxPreset(mean=HALF, std=HALF),
    # foamliu/MobileFaceNet: data_transforms of data_gen.py gives RGB with ImageNet's mean and std. InsightFace's
    # MobileFaceNet (w600k_mbf) is another.
    "mobilefacenet": OnnxPreset(mean=IMAGENET_MEAN, std=IMAGENET_STD),
}


def preset_of_file(name: str) -> str | None:
    """The preset of a model that bears the file name under which it is published; None: no such name."""
    return next((preset for preset, facts in PRESETS.items() if name in facts.files), None)
