"""The lineage of a trained model: what it was made from."""

LINEAGE = "lineage.json"
