"""Can an identity model tell whose face a small model was asked for?

  python -m benchmarks.conditioning --model MODEL --shards OUT --judge mobilefacenet.onnx --picture grid.png

One picture of each of 100 held-out people, none of whom the model was trained on, all from one prompt. The judge embeds
the picture's face and the photograph's; AUC is the chance that a picture is more like the photograph that it was made
from than like another one's (0.5: chance), rank 1 how often the right photograph is the most alike of all. For
comparison the same with the photographs as the model sees them, reduced to its size and through its VAE.
"""

import argparse
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from face0.detection.detections import Detections, FaceFilter
from face0.detection.mtcnn import Detector
from face0.embedders.interface import Embedder
from face0.embedders.specification import embedder_config
from face0.model.guidance import Guidance
from face0.model.lineage import Lineage
from face0.model.pipeline import Face0Pipeline, as_images, noise
from face0.model.samplers import make_scheduler
from face0.shards.loader import FaceShards
from face0.shards.selection import Holdout, RowFilter

SIDE = 250  # to which small pictures are enlarged for the judge


def people(faces: np.ndarray, count: int, similarity: float) -> list[int]:
    """The first ``count`` rows of faces [n, dim] that look like none before them."""
    directions = faces / np.linalg.norm(faces, axis=1, keepdims=True)
    chosen: list[int] = []
    for i, direction in enumerate(directions):
        if len(chosen) < count and (directions[chosen] @ direction < similarity).all():
            chosen.append(i)
    return chosen


def enlarged(images: torch.Tensor) -> list[np.ndarray]:
    """Images uint8 [n, 3, H, W] as uint8 [SIDE, SIDE, 3] each."""
    return [
        np.asarray(Image.fromarray(image.permute(1, 2, 0).numpy()).resize((SIDE, SIDE), Image.Resampling.LANCZOS))
        for image in images
    ]


def identities(images: torch.Tensor, judge: Embedder) -> tuple[np.ndarray, int]:
    """The judge's unit vectors [n, d]; where MTCNN finds no face, at the mean of the other faces' landmarks."""
    pixels = enlarged(images)
    usable = FaceFilter(max_faces=1)
    found = [usable(faces) for faces in Detector(usable.min_face, "cpu").detect(pixels)]
    seen = [faces for faces in found if len(faces)]
    usual = Detections(
        boxes=np.mean([f.boxes for f in seen], axis=0),
        scores=np.ones(1, np.float32),
        landmarks=np.mean([f.landmarks for f in seen], axis=0),
    )
    vectors = judge.embed(pixels, [faces if len(faces) else usual for faces in found])
    return judge.identity(np.concatenate(vectors)), len(seen)


def verdict(made: np.ndarray, asked: np.ndarray) -> str:
    """AUC and rank 1 of vectors made [n, d] against those asked for [n, d]."""
    alike = made @ asked.T
    own, others = np.diag(alike), alike[~np.eye(len(alike), dtype=bool)]
    auc = (own[:, None] > others).mean() + (own[:, None] == others).mean() / 2
    rank_1 = int((alike.argmax(axis=1) == np.arange(len(alike))).sum())
    return f"AUC {auc:.3f}, rank 1 {rank_1} of {len(alike)}, cosine {own.mean():.3f} against {others.mean():.3f}"


@torch.no_grad()
def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--shards", required=True)
    parser.add_argument("--judge", required=True, help="an .onnx identity model")
    parser.add_argument("--people", type=int, default=100, help="(%(default)s)")
    parser.add_argument("--w", type=float, nargs="+", default=[1.0, 3.0, 5.0, 7.5], help="(%(default)s)")
    parser.add_argument("--prompt", default="a photo of a person", help="(%(default)s)")
    parser.add_argument("--picture", type=Path, help="photographs above pictures for each w, of the first 12 people")
    args = parser.parse_args()
    lineage = Lineage.read(args.model, str(args.model))
    pipe = Face0Pipeline.from_pretrained(args.model)
    pipe.set_progress_bar_config(disable=True)
    held_out = FaceShards([args.shards], rows=RowFilter(**lineage.rows), holdout=Holdout(**lineage.holdout))
    batch = held_out.held_out(resolution=lineage.config["resolution"], slots=lineage.config["slots"])
    chosen = people(batch.faces[:, 0].numpy(), args.people, lineage.holdout["similarity"])
    photographs, faces, present = batch.images[chosen], batch.faces[chosen], batch.present[chosen]
    judge = embedder_config(f"onnx:{args.judge}").resolve().load("cpu")
    asked, _ = identities(photographs, judge)
    latents = pipe.vae.encode(photographs.float() / 127.5 - 1).latent_dist.mean * pipe.vae.config.scaling_factor
    seen = as_images(pipe.decode(latents))
    made, found = identities(seen, judge)
    print(f"photographs through the VAE: {verdict(made, asked)}; a face found in {found}")
    rows = [photographs[:12], seen[:12]]
    generators = [torch.Generator().manual_seed(i) for i in range(len(chosen))]
    shape = len(chosen), pipe.unet.config.in_channels, latents.shape[2], latents.shape[3]
    start = noise(shape, generators, torch.device("cpu"), torch.float32)
    for w in args.w:
        guidance = Guidance(w=w)
        contexts = pipe.contexts([args.prompt] * len(chosen), faces, present, guidance)
        scheduler = make_scheduler("ddim", pipe.scheduler.config)
        pictures = as_images(pipe.decode(pipe.denoise(start, contexts, guidance, 50, scheduler)))
        made, found = identities(pictures, judge)
        print(f"w = {w}: {verdict(made, asked)}; a face found in {found}", flush=True)
        rows.append(pictures[:12])
    if args.picture:
        grid = torch.cat([torch.cat(list(row), dim=2) for row in rows], dim=1)
        Image.fromarray(grid.permute(1, 2, 0).numpy()).save(args.picture)


if __name__ == "__main__":
    main()
