"""Image files that say how they were made: in a field of our own, and in the one that other tools read."""

import io
import json
from collections.abc import Mapping
from typing import Any

import numpy as np
from PIL import ExifTags, Image
from PIL.PngImagePlugin import PngInfo

from face0.generation.requests import Request

FORMATS = {"png": "PNG", "webp": "WEBP", "jpeg": "JPEG"}  # by the suffix of the file
THUMBNAIL = 128  # pixels of the longer side, at most
SAMPLER_NAMES = {"ddim": "DDIM", "dpm++": "DPM++ 2M", "euler": "Euler", "unipc": "UniPC"}  # as `parameters` has them


def encode_image(pixels: np.ndarray, suffix: str, quality: int, request: Request, origin: Mapping[str, Any]) -> bytes:
    """An image file with its request in it.

    PNG has the texts ``face0`` (JSON: request and origin) and ``parameters``. WebP and JPEG have them as EXIF's
    ImageDescription and UserComment.

    Args:
        pixels: uint8 [H, W, 3].
        suffix: a key of FORMATS.
        quality: of WebP and JPEG, 1..100.
        request: that it is the image of.
        origin: lineage of the model and version of the code, as JSON values.
    """
    record = json.dumps({"request_id": request.request_id, **request.settings, "label": request.label, **origin})
    image, file = Image.fromarray(pixels), io.BytesIO()
    if suffix == "png":
        info = PngInfo()
        info.add_itxt("face0", record)
        info.add_itxt("parameters", parameters(request, origin))
        image.save(file, "PNG", pnginfo=info, compress_level=4)  # 3 % larger than at 6, in half the time
    else:
        exif = Image.Exif()
        exif[ExifTags.Base.ImageDescription] = record
        exif.get_ifd(ExifTags.IFD.Exif)[ExifTags.Base.UserComment] = b"UNICODE\0" + parameters(request, origin).encode(
            "utf-16-be"
        )
        image.save(file, FORMATS[suffix], quality=quality, exif=exif)
    return file.getvalue()


def parameters(request: Request, origin: Mapping[str, Any]) -> str:
    """The settings in the form of AUTOMATIC1111's web UI, which most viewers of such images read."""
    settings = {
        "Steps": request.steps,
        "Sampler": SAMPLER_NAMES[request.sampler],
        "CFG scale": f"{request.w:g}",
        "Seed": request.seed,
        "Size": f"{request.width}x{request.height}",
        "Model hash": str(origin.get("model", ""))[:10],
        "Face": request.face_id.replace(",", " ") or "none",
        "Face guidance": f"c {request.c:g} a {request.a:g}",
        "Version": f"face0 {origin.get('version', '')}",
    }
    negative = [f"Negative prompt: {request.negative_prompt}"] if request.negative_prompt else []
    return "\n".join([request.prompt, *negative, ", ".join(f"{name}: {value}" for name, value in settings.items())])


def thumbnail(pixels: np.ndarray) -> bytes:
    """A JPEG of at most THUMBNAIL pixels a side, never enlarged, of uint8 [H, W, 3]."""
    image, file = Image.fromarray(pixels), io.BytesIO()
    image.thumbnail((THUMBNAIL, THUMBNAIL), Image.Resampling.LANCZOS)
    image.save(file, "JPEG", quality=80)
    return file.getvalue()
