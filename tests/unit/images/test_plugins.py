"""Plugins of Pillow are used without a trace."""

import pickle
import subprocess
import sys

from tests.fixtures.poison import case


def test_nothing_is_registered_with_pillow() -> None:
    """Whoever imports the library keeps their own plugins, and gets no others."""
    code = (
        "import sys; from PIL import Image; from face0.images.decoding import decode;"
        "Image.init(); n = dict(Image.OPEN); import pickle;"
        "[decode(data) for data in pickle.load(sys.stdin.buffer)]; assert Image.OPEN == n;"
        "assert 'pillow_jxl' not in sys.modules; import pillow_jxl; assert 'JXL' in Image.OPEN"
    )
    files = pickle.dumps([case(name).data for name in ("jxl", "heif", "avif", "jpeg2000", "bmp")])
    run = subprocess.run([sys.executable, "-c", code], input=files, capture_output=True)
    assert run.returncode == 0, run.stderr.decode()
