"""How a process ends."""

import subprocess
import sys

CODE = """
import atexit, threading, time
from face0.runtime.ending import end_process

atexit.register(print, "cleaned up")
threading.Thread(target=time.sleep, args=[600]).start()
print("done")
end_process(3)
"""


def test_process_ends_whatever_its_threads_do():
    ended = subprocess.run([sys.executable, "-c", CODE], capture_output=True, text=True, timeout=60, check=False)
    assert (ended.returncode, ended.stdout, ended.stderr) == (3, "done\ncleaned up\n", "")
