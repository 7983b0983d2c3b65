"""Verification accuracy on LFW, from the embeddings in face shards.

  python -m benchmarks.verification SHARDS --lfw ../shared/data/lfw

SHARDS is an output folder of ``face0 augment`` over the LFW tars. Names of the photographs come from the tars' JSON, by
SHA-256; vectors come from the shards alone. The subject of an LFW photograph is in its centre, so of several faces the
one nearest to the centre is taken. A pair with a photograph that has no face counts as "another person".
"""

import argparse
import csv
import json
import tarfile
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq

FOLDS = 10


def names_by_sha256(lfw: Path) -> dict[str, str]:
    names = {}
    for path in sorted(lfw.glob("*.tar")):
        with tarfile.open(path) as tar:
            for member in tar:
                if member.name.endswith(".json"):
                    record = json.load(tar.extractfile(member))
                    names[record["sha256"]] = record["url"]
    return names


def central_vectors(shards: Path, names: dict[str, str]) -> dict[str, np.ndarray]:
    vectors = {}
    for stats in sorted((shards / "stats").glob("*.json")):
        for file in json.loads(stats.read_text())["files"]:
            if not file["name"].startswith("shards/"):
                continue
            for row in pq.read_table(shards / file["name"], columns=["sha256", "width", "height", "faces"]).to_pylist():
                if row["sha256"] in names and row["faces"]:
                    face = min(row["faces"], key=lambda face: _from_centre(face["box"], row["width"], row["height"]))
                    vector = np.asarray(face["embedding"], np.float32)
                    vectors[names[row["sha256"]]] = vector / np.linalg.norm(vector)
    return vectors


def _from_centre(box: list[float], width: int, height: int) -> float:
    x0, y0, x1, y1 = box
    return ((x0 + x1 - width) ** 2 + (y0 + y1 - height) ** 2) ** 0.5


def fold_accuracies(scores: np.ndarray, same: np.ndarray, seed: int = 0) -> np.ndarray:
    """Accuracy on each of ten folds, at the threshold that is best on the other nine."""
    fold = np.random.default_rng(seed).permutation(len(scores)) % FOLDS
    accuracies = []
    for held_out in range(FOLDS):
        train = fold != held_out
        candidates = np.unique(scores[train])
        right = [np.mean((scores[train] >= t) == same[train]) for t in candidates]
        threshold = candidates[int(np.argmax(right))]
        accuracies.append(np.mean((scores[~train] >= threshold) == same[~train]))
    return np.array(accuracies)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("shards", type=Path)
    parser.add_argument("--lfw", type=Path, required=True)
    args = parser.parse_args()
    vectors = central_vectors(args.shards, names_by_sha256(args.lfw))
    with open(args.lfw / "pairs.csv", newline="") as file:
        pairs = list(csv.DictReader(file))
    same = np.array([pair["same"] == "1" for pair in pairs])
    scores = np.array(
        [
            vectors[pair["url_a"]] @ vectors[pair["url_b"]]
            if pair["url_a"] in vectors and pair["url_b"] in vectors
            else -1.0
            for pair in pairs
        ]
    )
    accuracies = fold_accuracies(scores, same)
    print(f"{len(vectors):,} photographs with a face; {len(pairs):,} pairs, {np.sum(scores == -1)} without one")
    print(f"mean cosine: same person {scores[same].mean():.3f}, others {scores[~same].mean():.3f}")
    print(f"accuracy {100 * accuracies.mean():.2f} % +- {100 * accuracies.std(ddof=1):.2f} over {FOLDS} folds")


if __name__ == "__main__":
    main()
