"""Formats of image files, by their names."""

_DECODED = """
jpg jpeg jpe jfif jif pjpeg pjp mpo png apng webp gif tif tiff bmp dib
avif avifs heic heics heif heifs hif jxl jp2 j2k j2c jpc jpf jpx
"""

# Those of cameras are TIFF files, many of them, whose first picture is a thumbnail.
_NOT_DECODED = """
3fr arw cr2 cr3 crw dcr dng erf fff gpr iiq kdc mef mos mrw nef nrw orf pef raf raw rw2 rwl sr2 srf srw x3f
psd psb xcf svg svgz eps ai wmf emf ico cur icns tga pcx pnm ppm pgm pbm pam pfm exr hdr dds qoi jxr wdp hdp
jpm jng mng flif bpg dcm
"""

IMAGE_EXTENSIONS = frozenset(_DECODED.split())
"""Of files that are decoded."""

UNREAD_EXTENSIONS = frozenset(_NOT_DECODED.split())
"""Of images that are not decoded: each is a row that fails as ``unsupported``."""
