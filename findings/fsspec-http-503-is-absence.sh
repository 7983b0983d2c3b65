#!/usr/bin/env bash
# Versions: fsspec 2026.9.0, aiohttp 3.14.5, Python 3.11.
# Guess: a web server that answers 503 (come again) makes fsspec raise an error of the connection or of the status.
# Behaviour: exists() returns False, and info() raises FileNotFoundError; only reading tells of the 503. The same goes
# for a server that breaks connections off. So code that asks "is it there?" takes a busy server for a missing file, and
# one that treats FileNotFoundError as final gives up what a second try would bring. The cause is on __cause__.
# Output seen:
#   fsspec 2026.9.0
#   exists(): False
#   info(): FileNotFoundError, caused by ClientResponseError 503
#   cat_file(): ClientResponseError 503
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/env"
"$work/env/bin/pip" install --quiet fsspec==2026.9.0 aiohttp==3.14.5
"$work/env/bin/python" - <<'SHOW'
import http.server
import sys
import threading

import fsspec


class Busy(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_error(503)

    do_HEAD = do_GET

    def log_message(self, *_):
        pass


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Busy)
threading.Thread(target=server.serve_forever, daemon=True).start()
url = f"http://127.0.0.1:{server.server_port}/a.tar"
fs = fsspec.filesystem("http", skip_instance_cache=True)
print("fsspec", fsspec.__version__)


def error_of(call):
    try:
        call()
    except Exception as error:
        return error
    return None


there = fs.exists(url)
info, read = error_of(lambda: fs.info(url)), error_of(lambda: fs.cat_file(url))
print(f"exists(): {there}")
print(f"info(): {type(info).__name__}, caused by {type(info.__cause__).__name__} {getattr(info.__cause__, 'status', '')}")
print(f"cat_file(): {type(read).__name__} {getattr(read, 'status', '')}")
sys.exit(not (there is False and isinstance(info, FileNotFoundError) and getattr(read, "status", 0) == 503))
SHOW
