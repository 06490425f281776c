// The main flow in Firefox: a demo model, half of its neurons, compared, and the files handed over.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { launch } from './firefox.mjs';
import { serveFolder } from './serve.mjs';
import { SITE } from './site.mjs';

const MINUTES = 60_000;

let server;
let browser;
let page;
const faults = [];

const one = (id) => `[data-testid="${id}"]`;
const textOf = (id) => page.$eval(one(id), (element) => element.textContent);
const until = (condition, ...values) => page.waitForFunction(condition, { timeout: 15 * MINUTES }, ...values);

/** Gives a field a value as typing it would. */
async function type(id, value) {
  await page.$eval(
    one(id),
    (field, value) => {
      field.value = value;
      for (const kind of ['input', 'change']) field.dispatchEvent(new Event(kind, { bubbles: true }));
    },
    String(value),
  );
}

before(async () => {
  server = await serveFolder(SITE);
  browser = await launch();
  page = await browser.newPage();
  await page.setViewport({ width: 1280, height: 900 });
  page.on('pageerror', (error) => faults.push(error.message));
  await page.goto(`${server.origin}/`);
});
after(async () => {
  await browser?.close();
  await server?.close();
});

test('the engine starts', { timeout: 5 * MINUTES }, async () => {
  await until(() => !document.querySelector('[data-testid="device-chip"]').textContent.startsWith('Starting'));
  assert.match(await textOf('device-chip'), /^(CPU|GPU) · ./);
});

test('the demo model is pruned and compared on the CPU', { timeout: 20 * MINUTES }, async () => {
  await page.select(one('device'), 'cpu');
  await until(() => document.querySelector('[data-testid="device-chip"]').textContent.startsWith('CPU'));
  await page.click(one('demo-bert-sst2'));
  await until(() => document.querySelector('[data-testid="model-facts"]').textContent.includes('Architecture'));
  await type('sequences', 32);
  await type('evaluation-rows', 40);
  await page.click(one('run'));
  await until(
    () => document.querySelector('[data-testid="comparison"]') ?? document.querySelector('[data-testid="alert"] p'),
  );
  assert.equal(await textOf('alert'), '');
  assert.ok(Math.abs(Number.parseFloat(await textOf('removed-share')) - 50) <= 0.5);
  assert.ok(Number.parseFloat(await textOf('accuracy-after')) > 70);
});

test('the files of the smaller model are there', async () => {
  const names = await page.$$eval(one('save-file'), (buttons) => buttons.map((button) => button.textContent));
  for (const name of ['config.json', 'model.safetensors', 'plan.json', 'report.json']) assert.ok(names.includes(name));
  await page.click(one('save-zip'));
  await until(() => document.querySelector('[data-testid="save-status"]').textContent.includes('is in your downloads'));
});

test('the page opens again without its server', { timeout: 5 * MINUTES }, async () => {
  await page.evaluate(() => navigator.serviceWorker.ready.then(() => undefined));
  await until(() => /MB$/.test(document.querySelector('[data-testid="storage-size"][data-group="page"]').textContent));
  await server.close();
  server = undefined;
  await page.reload();
  await until(() => /^(CPU|GPU) · ./.test(document.querySelector('[data-testid="device-chip"]').textContent));
});

test('nothing went wrong on the way', () => {
  assert.deepEqual(faults, []);
});
