#!/usr/bin/env bash
# Versions: aiohttp 3.14.5, Python 3.11.
# Guess: session.get(yarl.URL(text, encoded=True)) asks for the address as it stands, after redirects too.
# Behaviour: the first request does; the Location of a redirect is decoded and quoted anew, so %2C becomes a comma and
# %7E a tilde. What signs the address as a whole answers 403. ClientSession(requote_redirect_url=False) leaves it as
# it is.
# Output seen:
#   aiohttp 3.14.5
#   asked for: /start?sig=a%2Cb
#   asked for: /end?sig=a,b~c%20d
#   with requote_redirect_url=False: /end?sig=a%2Cb%7Ec%20d
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/env"
"$work/env/bin/pip" install --quiet aiohttp==3.14.5
"$work/env/bin/python" - <<'SHOW'
import asyncio
import sys

import aiohttp
from aiohttp import web
from yarl import URL

asked = []


async def answer(request):
    asked.append(request.raw_path)
    if request.path == "/start":
        return web.Response(status=302, headers={"Location": "/end?sig=a%2Cb%7Ec%20d"})
    return web.Response(text="here")


async def show():
    app = web.Application()
    app.router.add_get("/{name}", answer)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port = site._server.sockets[0].getsockname()[1]
    url = URL(f"http://127.0.0.1:{port}/start?sig=a%2Cb", encoded=True)
    for requote in (True, False):
        async with aiohttp.ClientSession(requote_redirect_url=requote) as session, session.get(url):
            pass
    await runner.cleanup()


print("aiohttp", aiohttp.__version__)
asyncio.run(show())
for path in asked[:2]:
    print("asked for:", path)
print("with requote_redirect_url=False:", asked[3])
sent = "/end?sig=a%2Cb%7Ec%20d"
sys.exit(not (asked[0] == "/start?sig=a%2Cb" and asked[1] != sent and asked[3] == sent))
SHOW
