"""What the detector can see, in pixels."""

P_NET_SIDE = 12  # of the windows that P-Net sees, and so of the smallest face
PYRAMID_MAX_SIDE = 1024  # of an image, so that the cells of the least level of its pyramid fit: 12 to a side
