// The page's content security policy holds in the page and inside the engine's worker, on a host that sends no headers, and while a
// service worker answers. What no policy covers is not in the code.
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { readdir, readFile } from 'node:fs/promises';
import { after, before, describe, test } from 'node:test';
import { serveForeign } from './serve.mjs';
import { MOCK, open, ready, SITE } from './site.mjs';
import { ANYWHERE, IN_A_PAGE } from './ways-out.mjs';

let site;
let foreign;
let worker;

before(async () => {
  foreign = await serveForeign();
  site = await open(existsSync(`${SITE}/index.html`) ? SITE : MOCK, {
    expectErrors: true,
  });
  await ready(site.page, 'cpu');
  [worker] = site.page.workers();
});
after(async () => {
  await foreign.close();
  // Refused requests are announced to the recorder before they are refused; the browser's own page in a refused frame has pictures.
  const ours = (address) => !address.startsWith(foreign.origin) && !/^(data|chrome-error):/.test(address);
  site.requests.splice(0, Infinity, ...site.requests.filter(ours));
  await site.close();
});

test('the foreign server can be reached by what has no policy', async () => {
  assert.equal((await fetch(`${foreign.origin}/from-node`)).status, 200);
  assert.deepEqual(foreign.hits.splice(0), ['/from-node']);
});

test('the worker runs from a blob address of the page’s origin', () => {
  assert.equal(site.page.workers().length, 1);
  assert.match(worker.url(), new RegExp(`^blob:${site.origin}/`));
});

test('the same attempts do reach the other origin where there is no policy', async () => {
  const plain = await serveForeign();
  const page = await site.page.context().newPage();
  await page.goto(plain.origin);
  for (const attempt of Object.values({ ...ANYWHERE, ...IN_A_PAGE })) {
    await page.evaluate(attempt, foreign.origin).catch(() => undefined);
    assert.ok(foreign.hits.splice(0).length > 0, String(attempt));
  }
  await page.close();
  await plain.close();
});

for (const [name, attempt] of Object.entries(ANYWHERE)) {
  test(`${name} to another origin is refused in the worker`, async () => {
    await assert.rejects(worker.evaluate(attempt, foreign.origin));
    assert.deepEqual(foreign.hits, []);
  });
}

/** What the page's policy said it refused, since it was asked last. */
const violations = (page) => page.evaluate(() => window.violations?.splice(0) ?? []);

for (const answered of ['by the server', 'by the service worker']) {
  describe(`the page, answered ${answered}`, () => {
    before(async () => {
      if (answered === 'by the service worker') {
        await site.page.evaluate(() => navigator.serviceWorker.ready);
        await site.page.reload();
        await ready(site.page, 'cpu');
        [worker] = site.page.workers();
      }
      await site.page.evaluate(() => {
        window.violations = [];
        document.addEventListener('securitypolicyviolation', ({ effectiveDirective, blockedURI }) =>
          window.violations.push([effectiveDirective, blockedURI]),
        );
      });
    });

    if (answered === 'by the service worker') {
      test('the service worker does answer', async () => {
        const entry = await site.page.evaluate(() => performance.getEntriesByType('navigation')[0].workerStart);
        assert.ok(entry > 0);
      });
    }

    for (const [name, attempt] of Object.entries({ ...ANYWHERE, ...IN_A_PAGE })) {
      test(`${name} to another origin is refused`, async () => {
        await assert.rejects(site.page.evaluate(attempt, foreign.origin));
        assert.deepEqual(foreign.hits, []);
        const refused = await violations(site.page);
        assert.ok(
          refused.some(([, uri]) => uri.includes(new URL(foreign.origin).host)),
          `a violation was announced: ${JSON.stringify(refused)}`,
        );
      });
    }
  });
}

test('the service worker answers for the page alone, and sends nothing on', async () => {
  // An address of the page that the server sends elsewhere: the worker has no policy of its own on such a host.
  const { page } = site;
  await page.evaluate(() => navigator.serviceWorker.ready);
  site.redirect('/assets/elsewhere.js', `${foreign.origin}/redirected`);
  await assert.rejects(page.evaluate(() => fetch('assets/elsewhere.js', { mode: 'no-cors' })));
  await assert.rejects(page.evaluate(() => import('./assets/elsewhere.js')));
  await page.evaluate(
    (origin) =>
      navigator.serviceWorker.ready.then(({ active }) => {
        for (const message of [origin, { url: origin }, ['keep', origin], 'keep']) active.postMessage(message);
      }),
    foreign.origin,
  );
  await page.waitForTimeout(500);
  assert.deepEqual(foreign.hits, []);
});

test('where a host gives the service worker a policy, as `make demo` does, that holds there too', async () => {
  const policy = "default-src 'none'; connect-src 'self'";
  const other = await open(MOCK, {
    expectErrors: true,
    headers: { '/service-worker.js': { 'content-security-policy': policy } },
  });
  await ready(other.page);
  await other.page.evaluate(() => navigator.serviceWorker.ready);
  const [service] = other.page.context().serviceWorkers();
  await assert.rejects(
    service.evaluate((origin) => fetch(`${origin}/from-service-worker`, { mode: 'no-cors' }), foreign.origin),
  );
  assert.equal(await service.evaluate(() => fetch('index.html').then(({ status }) => status)), 200);
  assert.deepEqual(foreign.hits, []);
  other.requests.splice(0, Infinity, ...other.requests.filter((address) => !address.startsWith(foreign.origin)));
  await other.close();
});

test('what no policy covers is not in the code: WebRTC, and sending the tab to another origin', async () => {
  const folder = existsSync(`${SITE}/index.html`) ? SITE : MOCK;
  const assets = (await readdir(`${folder}/assets`))
    .filter((name) => name.endsWith('.js'))
    .map((name) => `assets/${name}`);
  assert.ok(assets.length >= 3);
  const codes = await Promise.all(
    [...assets, 'coppice.js', 'service-worker.js'].map((name) => readFile(`${folder}/${name}`, 'utf8')),
  );
  const found = codes.flatMap((code) => [
    ...code.matchAll(
      /RTCPeerConnection|WebTransport|window\.open\(|location\.(assign|replace)\b|location(\.href)?\s*=[^=]/g,
    ),
  ]);
  // The one that there is loads the page itself in its other language; language.test.mjs follows it.
  assert.deepEqual(
    found.map(([text]) => text),
    ['location.assign'],
  );
});

test('importScripts from another origin is refused in the worker', async () => {
  await assert.rejects(worker.evaluate((origin) => self.importScripts(`${origin}/script.js`), foreign.origin));
  assert.equal(await worker.evaluate(() => self.reached), undefined);
  assert.deepEqual(foreign.hits, []);
});

test('a nested worker cannot reach another origin either', async () => {
  const answer = await worker.evaluate(
    (origin) =>
      new Promise((resolve) => {
        const code = `fetch('${origin}/nested', { mode: 'no-cors' }).then(() => postMessage('reached'), () => postMessage('refused'))`;
        const nested = new Worker(URL.createObjectURL(new Blob([code])));
        nested.onmessage = ({ data }) => resolve(data);
        nested.onerror = () => resolve('refused');
      }),
    foreign.origin,
  );
  assert.equal(answer, 'refused');
  assert.deepEqual(foreign.hits, []);
});

test('the worker may still fetch from the page’s own origin, and the recorder sees it', async () => {
  const address = `${site.origin}/index.html?from=worker`;
  assert.equal(await worker.evaluate((own) => fetch(own).then(({ status }) => status), address), 200);
  assert.ok(site.requests.includes(address));
});
