// Loads the site as a first visit does, and counts what that takes.
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { launch } from './chromium.mjs';
import { listen, typeOf } from './serve.mjs';
import { ready } from './site.mjs';

/** What servers send compressed; pictures other than SVG are compressed already. */
const COMPRESSED = /\.(html|js|css|svg|wasm|json|webmanifest)$/;

/** Serves a folder compressed, with a note of the bytes of each answer's body. */
async function serveCompressed(folder) {
  const sent = [];
  const packed = new Map();
  const server = await listen(async (request, response) => {
    const { pathname } = new URL(request.url, 'http://host');
    const file = join(folder, pathname.endsWith('/') ? `${pathname}index.html` : pathname);
    if (!packed.has(file)) {
      const bytes = await readFile(file);
      packed.set(file, COMPRESSED.test(file) ? gzipSync(bytes, { level: 9 }) : bytes);
    }
    const body = packed.get(file);
    sent.push({ path: pathname, bytes: body.length });
    response
      .writeHead(200, {
        'content-type': typeOf(file),
        'content-length': body.length,
        'cache-control': 'max-age=600',
        ...(COMPRESSED.test(file) && { 'content-encoding': 'gzip' }),
      })
      .end(body);
  });
  return { ...server, sent };
}

/**
 * One first visit, until the page knows its device and `then` has passed, on a processor that is slowed down so many times. Long tasks
 * count for what they take beyond 50 ms, from the first contentful paint on.
 */
export async function firstLoad(folder, { throttle = 1, serviceWorkers = 'block', then = async () => undefined } = {}) {
  const server = await serveCompressed(folder);
  const browser = await launch({ webgpu: false });
  try {
    const context = await browser.newContext({ serviceWorkers, viewport: { width: 1280, height: 800 } });
    const page = await context.newPage();
    const session = await context.newCDPSession(page);
    await session.send('Emulation.setCPUThrottlingRate', { rate: throttle });
    await page.addInitScript(() => {
      window.longTasks = [];
      new PerformanceObserver((list) => {
        for (const { startTime, duration } of list.getEntries()) window.longTasks.push({ startTime, duration });
      }).observe({ type: 'longtask', buffered: true });
    });
    await page.goto(`${server.origin}/`);
    await ready(page);
    const times = await page.evaluate(() => {
      const paint = performance.getEntriesByName('first-contentful-paint')[0]?.startTime ?? 0;
      const { domContentLoadedEventEnd: content } = performance.getEntriesByType('navigation')[0];
      const blocking = window.longTasks
        .filter(({ startTime, duration }) => startTime + duration > paint)
        .reduce((sum, { duration }) => sum + Math.max(0, duration - 50), 0);
      return { paint, content, ready: performance.now(), blocking, longTasks: window.longTasks.length };
    });
    await then(page);
    const sent = server.sent.filter(({ path }) => path !== '/favicon.ico');
    return { ...times, sent, requests: sent.length, bytes: sent.reduce((sum, { bytes }) => sum + bytes, 0) };
  } finally {
    await browser.close();
    await server.close();
  }
}

/** Waits until the page has kept itself for use without a network. */
export async function kept(page) {
  await page.evaluate(() => navigator.serviceWorker.ready.then(() => undefined));
  await page.waitForFunction(() => /B$/.test(document.querySelector('[data-testid="storage-size"]').textContent));
}
