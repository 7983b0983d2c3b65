"""The encoders whose vectors a result holds."""

from schemas.measures import Unmeasured

JUDGE, CONDITIONING = "judge", "conditioning"  # encoders; the first that is there is the one to go by


WITHOUT_ENCODER = {JUDGE: Unmeasured.NO_JUDGE, CONDITIONING: Unmeasured.NO_EMBEDDER}

# What a report says that has nothing to go by. It is written all the same: that no face was found is a result.
NO_VECTORS = (
    "No image has a vector of a face, so nothing is said of faces: none was found, or the images were rendered without "
    "--embedder and --judge."
)
NO_JUDGE = (
    "No independent encoder: all scores of faces are by the encoder that conditions, which flatters the method; render "
    "with --judge."
)
