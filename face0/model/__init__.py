"""The conditioned model: projection, guidance, samplers, pipeline, folder, base models."""
