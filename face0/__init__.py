"""Face0: text-to-image conditioned on a face (arXiv 2306.06638). Plain functions and small classes over arrays."""
