#!/usr/bin/env python3
"""Prunes a model folder in the page, in headless Chromium, from picked files, and prints the run's own report as JSON.

usage: browser_prune.py SITE FOLDER [options]
  SITE     the built site (dist/), served on 127.0.0.1
  FOLDER   a model folder with calibration.txt, and valid.txt to compare on

The page is used as a person does: files are picked, fields filled, the button clicked; report.json is downloaded from the
result. Beside the run, the page counts how long its own thread was ever kept from the next frame. Needs aiohttp.
"""
import argparse
import asyncio
import functools
import http.server
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import threading

import aiohttp

TYPES = {".wasm": "application/wasm", ".js": "text/javascript", ".mjs": "text/javascript"}

# Frames come every 16 ms where nothing keeps the thread; a timer stands in for frames that a hidden tab does not draw.
WATCH = """(() => {
  let last = performance.now();
  window.longest = 0;
  setInterval(() => { const now = performance.now(); window.longest = Math.max(window.longest, now - last - 10); last = now; }, 10);
})()"""


class Site(http.server.SimpleHTTPRequestHandler):
    extensions_map = {**http.server.SimpleHTTPRequestHandler.extensions_map, **TYPES}

    def log_message(self, *_):
        pass


class Page:
    """One tab over the DevTools protocol."""

    def __init__(self, socket):
        self.socket, self.number = socket, 0

    async def send(self, method, **params):
        self.number += 1
        await self.socket.send_json({"id": self.number, "method": method, "params": params})
        while True:
            message = await self.socket.receive_json()
            if message.get("id") == self.number:
                if "error" in message:
                    raise RuntimeError(f"{method}: {message['error']['message']}")
                return message["result"]

    async def value(self, expression):
        result = await self.send("Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True)
        if "exceptionDetails" in result:
            raise RuntimeError(result["exceptionDetails"]["exception"].get("description", "exception"))
        return result["result"].get("value")

    async def until(self, expression, seconds):
        for _ in range(int(seconds * 5)):
            if await self.value(expression):
                return
            await asyncio.sleep(0.2)
        raise RuntimeError(f"not within {seconds} s: {expression}")

    async def pick(self, test_id, paths):
        document = await self.send("DOM.getDocument")
        selector = f'[data-testid="{test_id}"]'
        found = await self.send("DOM.querySelector", nodeId=document["root"]["nodeId"], selector=selector)
        await self.send("DOM.setFileInputFiles", nodeId=found["nodeId"], files=[str(path) for path in paths])

    async def fill(self, test_id, value):
        await self.value(f"""(() => {{
          const field = document.querySelector('[data-testid="{test_id}"]');
          if (field.type === 'checkbox' || field.type === 'radio') {{ if (field.checked !== {json.dumps(value)}) field.click(); return; }}
          field.value = {json.dumps(str(value))};
          for (const type of ['input', 'change']) field.dispatchEvent(new Event(type, {{ bubbles: true }}));
        }})()""")

    async def click(self, test_id):
        await self.value(f"document.querySelector('[data-testid=\"{test_id}\"]').click()")

    async def text(self, test_id):
        return await self.value(f"document.querySelector('[data-testid=\"{test_id}\"]')?.textContent ?? ''")


async def drive(page, address, options, downloads):
    for domain in ("Page", "DOM", "Runtime"):
        await page.send(f"{domain}.enable")
    await page.send("Browser.setDownloadBehavior", behavior="allow", downloadPath=str(downloads))
    await page.send("Page.navigate", url=address)
    # A fast page has made its elements before the first question.
    await page.until("document.querySelector('[data-testid=device-chip]') !== null", 30)
    await page.fill("device", options.device)
    await page.fill("memory", options.memory)
    started = "!/Looking/.test(document.querySelector('[data-testid=device-info]').textContent)"
    await page.until(f"document.querySelector('[data-testid=device-info]').textContent !== '' && {started}", 120)
    folder = pathlib.Path(options.folder).resolve()
    await page.pick("model-files", sorted(path for path in folder.iterdir() if path.is_file()))
    await page.until("document.querySelector('[data-testid=model-facts] dl') !== null", 60)
    await asyncio.sleep(1)
    await page.fill("calibration-own", True)
    await page.pick("calibration-file", [folder / "calibration.txt"])
    if options.limit:
        await page.fill("evaluation-own", True)
        await page.pick("evaluation-file", [folder / "valid.txt"])
        await page.fill("evaluation-rows", options.limit)
        await page.fill("evaluation-window", options.window)
    else:
        await page.fill("evaluation-none", True)
    for field in ("sequences", "length", "ratio", "reconstruction", "output"):
        await page.fill(field, getattr(options, field))
    await page.fill("unit-heads", options.heads)
    await page.fill("unit-neurons", True)
    await page.fill("error-aware", options.error_aware)
    for field in ("sequences", "length"):
        kept = await page.value(f"document.querySelector('[data-testid={field}]').value")
        if kept != str(getattr(options, field)):
            raise RuntimeError(f"the field {field} holds {kept}")
    await asyncio.sleep(4)
    needs = await page.text("estimate")
    await page.value(WATCH)
    await page.click("run")
    last = ""
    for _ in range(int(options.timeout)):
        await asyncio.sleep(1)
        if not await page.value("document.getElementById('result-body').hidden"):
            break
        if alert := await page.text("alert"):
            raise RuntimeError(alert)
        now = await page.text("progress-now")
        if now != last:
            print(now, file=sys.stderr, flush=True)
            last = now
    else:
        raise RuntimeError(f"the run took more than {options.timeout} s; it was at: {last}")
    longest = await page.value("window.longest")
    await page.value("""[...document.querySelectorAll('[data-testid="save-file"]')].find((one) => one.textContent === 'report.json').click()""")
    for _ in range(100):
        found = [path for path in downloads.iterdir() if path.name.startswith("report") and path.suffix == ".json"]
        if found:
            break
        await asyncio.sleep(0.1)
    report = json.loads(found[0].read_text())
    return {"estimate": needs, "longest_block_ms": longest, "report": report}


async def run(options):
    downloads = pathlib.Path(tempfile.mkdtemp())
    profile = tempfile.mkdtemp()
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Site, directory=options.site))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    flags = ["--headless=new", "--no-sandbox", "--no-first-run", "--disable-background-networking", "--disable-component-update",
             "--disable-dev-shm-usage", "--enable-unsafe-webgpu", "--remote-debugging-port=0", f"--user-data-dir={profile}"]
    log = open(os.path.join(profile, "stderr"), "w")
    browser = subprocess.Popen([options.chromium, *flags, "about:blank"], stderr=log, stdout=subprocess.DEVNULL)
    try:
        port_file = pathlib.Path(profile, "DevToolsActivePort")
        for _ in range(300):
            if port_file.exists() and port_file.stat().st_size:
                break
            if browser.poll() is not None:
                raise RuntimeError(f"Chromium ended with {browser.returncode}: {pathlib.Path(profile, 'stderr').read_text()[-1000:]}")
            await asyncio.sleep(0.1)
        port = port_file.read_text().split("\n")[0]
        async with aiohttp.ClientSession() as session:
            async with session.put(f"http://127.0.0.1:{port}/json/new?about:blank") as reply:
                target = await reply.json()
            async with session.ws_connect(target["webSocketDebuggerUrl"], max_msg_size=0) as socket:
                address = f"http://127.0.0.1:{server.server_port}/"
                print(json.dumps(await drive(Page(socket), address, options, downloads)))
    except Exception:
        print(pathlib.Path(profile, "stderr").read_text(errors="replace")[-3000:], file=sys.stderr)
        raise
    finally:
        browser.kill()
        server.shutdown()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("site")
    parser.add_argument("folder")
    parser.add_argument("--chromium", default="chromium")
    parser.add_argument("--device", default="auto", choices=["auto", "gpu", "cpu"])
    parser.add_argument("--memory", default="", help="GiB; empty: as usual")
    parser.add_argument("--sequences", type=int, default=64)
    parser.add_argument("--length", type=int, default=512)
    parser.add_argument("--ratio", type=float, default=30, help="percent")
    parser.add_argument("--reconstruction", default="liar")
    parser.add_argument("--output", default="stock")
    parser.add_argument("--heads", action="store_true", help="heads too")
    parser.add_argument("--error-aware", action="store_true")
    parser.add_argument("--limit", type=int, default=0, help="tokens to compare on; 0: no comparison")
    parser.add_argument("--window", type=int, default=512)
    parser.add_argument("--timeout", type=float, default=3600)
    options = parser.parse_args()
    asyncio.run(run(options))


main()
