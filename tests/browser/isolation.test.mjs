// The page's content security policy holds inside the worker, on a host that sends no headers.
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { after, before, test } from 'node:test';
import { serveForeign } from './serve.mjs';
import { MOCK, open, ready, SITE } from './site.mjs';

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
  // Refused requests are announced to the recorder before they are refused.
  site.requests.splice(0, Infinity, ...site.requests.filter((address) => !address.startsWith(foreign.origin)));
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

const ATTEMPTS = {
  fetch: (origin) => fetch(`${origin}/fetch`, { mode: 'no-cors' }).then(() => 'reached'),
  XMLHttpRequest: (origin) =>
    new Promise((resolve, reject) => {
      const request = new XMLHttpRequest();
      request.onload = () => resolve('reached');
      request.onerror = () => reject(new Error('refused'));
      request.open('GET', `${origin}/xhr`);
      request.send();
    }),
  EventSource: (origin) =>
    new Promise((resolve, reject) => {
      const source = new EventSource(`${origin}/events`);
      source.onopen = () => resolve('reached');
      source.onerror = () => reject(new Error('refused'));
    }),
  WebSocket: (origin) =>
    new Promise((resolve, reject) => {
      const socket = new WebSocket(`${origin.replace('http', 'ws')}/socket`);
      socket.onopen = () => resolve('reached');
      socket.onerror = () => reject(new Error('refused'));
    }),
  'dynamic import': (origin) => import(`${origin}/module.js`).then(() => 'reached'),
};

test('the same attempts do reach the other origin where there is no policy', async () => {
  const plain = await serveForeign();
  const page = await site.page.context().newPage();
  await page.goto(plain.origin);
  for (const attempt of Object.values(ATTEMPTS)) {
    await page.evaluate(attempt, foreign.origin).catch(() => undefined);
    assert.ok(foreign.hits.splice(0).length > 0, String(attempt));
  }
  await page.close();
  await plain.close();
});

for (const [name, attempt] of Object.entries(ATTEMPTS)) {
  for (const where of ['worker', 'page']) {
    test(`${name} to another origin is refused in the ${where}`, async () => {
      const target = where === 'worker' ? worker : site.page;
      await assert.rejects(target.evaluate(attempt, foreign.origin));
      assert.deepEqual(foreign.hits, []);
    });
  }
}

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
