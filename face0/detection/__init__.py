"""MTCNN, detections, alignment, portraits, head pose."""
