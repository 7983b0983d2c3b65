"""Where a face came from and went, and how it goes away."""
