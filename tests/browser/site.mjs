import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { axe, launch } from './chromium.mjs';
import { serveFolder } from './serve.mjs';

const root = new URL('../../', import.meta.url).pathname;

/** The built site, or the one on the stand-in engine. */
export const SITE = `${root}dist`;
export const MOCK = `${root}out/mock`;
export const DEMO = `${root}www/models/bert-sst2`;
export const FULL = Boolean(process.env.COPPICE_FULL);
export const OUT = `${root}out/browser`;

/**
 * Opens the site in a fresh browser. `requests` fills with every address that the page or its worker asks for;
 * closing fails where one of them left the page's origin, or where the page reported an error of its own. `stop` ends the server alone. The
 * browser prefers English, whatever the machine does.
 */
export async function open(folder, { flags, webgpu, context, headers, path = '', expectErrors = false } = {}) {
  const index = `${folder}/${/^[^?#]*\//.exec(path)?.[0] ?? ''}index.html`;
  assert.ok(existsSync(index), `${index} is not built; run make site first`);
  const server = await serveFolder(folder, headers);
  const browser = await launch({ flags, webgpu });
  const page = await (await browser.newContext({ acceptDownloads: true, locale: 'en-US', ...context })).newPage();
  const requests = [];
  const faults = [];
  page.on('pageerror', (error) => faults.push(error.message));
  page.on('console', (message) => {
    if (message.type() === 'error') faults.push(message.text());
  });
  await recordRequests(page, requests);
  await page.goto(`${server.origin}/${path}`);
  let stopped;
  const stop = () => (stopped ??= server.close());
  const close = async () => {
    await browser.close();
    await stop();
    const foreign = requests.filter(
      (address) => !address.startsWith(server.origin) && !address.startsWith(`blob:${server.origin}`),
    );
    assert.deepEqual(foreign, [], 'every request stays on the page’s origin');
    if (!expectErrors) assert.deepEqual(faults, [], 'the console stays clean');
  };
  return { page, origin: server.origin, redirect: server.redirect, requests, faults, stop, close };
}

/** Records requests at the browser's own level: those of workers included, which the page's events leave out. */
async function recordRequests(page, requests) {
  page.on('request', (request) => requests.push(request.url()));
  const session = await page.context().newCDPSession(page);
  session.on('Network.requestWillBeSent', ({ request }) => requests.push(request.url));
  await session.send('Network.enable');
  session.on('Target.attachedToTarget', ({ sessionId }) => {
    const send = (method) =>
      session.send('Target.sendMessageToTarget', {
        sessionId,
        message: JSON.stringify({ id: 1, method }),
      });
    void send('Network.enable').catch(() => undefined);
  });
  session.on('Target.receivedMessageFromTarget', ({ message }) => {
    const { method, params } = JSON.parse(message);
    if (method === 'Network.requestWillBeSent') requests.push(params.request.url);
  });
  await session.send('Target.setAutoAttach', {
    autoAttach: true,
    waitForDebuggerOnStart: false,
    flatten: false,
  });
}

/** Waits until the engine runs and the menus are filled. */
export async function ready(page, device) {
  if (device) await page.getByTestId('device').selectOption(device);
  await page.waitForFunction(
    (wanted) => {
      const chip = document.querySelector('[data-testid="device-chip"]').textContent;
      return wanted ? chip.startsWith(wanted.toUpperCase()) : !chip.startsWith('Starting');
    },
    device,
    { timeout: 120_000 },
  );
}

/** Takes the bundled demo model and waits for its facts. */
export async function takeDemo(page, id = 'bert-sst2') {
  await page.getByTestId(`demo-${id}`).click();
  await page.getByTestId('model-facts').getByText('Architecture').waitFor({ timeout: 60_000 });
}

/** What an element says, with plain spaces. */
export async function text(page, id) {
  return (await page.getByTestId(id).textContent()).replaceAll('\u00a0', ' ');
}

/** The sentence in the alert region. */
export async function alertText(page, timeout = 60_000) {
  const sentence = page.getByTestId('alert').locator('p');
  await sentence.waitFor({ timeout });
  return sentence.textContent();
}

/** Fails where axe knows of something that keeps people out of the page, or of the part that a selector names. */
export async function accessible(page, selector) {
  await page.evaluate(axe);
  // Colours on their way from one to another are nobody's.
  const moving = () => document.getAnimations().filter((one) => one instanceof CSSTransition);
  await page.evaluate(`Promise.all((${moving})().map((one) => one.finished.catch(() => undefined)))`);
  const { violations } = await page.evaluate((part) => window.axe.run(part ?? document), selector);
  assert.deepEqual(
    violations.map(({ id, nodes }) => [id, nodes.map(({ html }) => html)]),
    [],
  );
}
