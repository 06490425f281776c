// A cancel in every phase takes effect, leaves nothing behind, and the next run works.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { fill, runToTheEnd } from './person.mjs';
import { open, ready, SITE, takeDemo } from './site.mjs';

const PHASES = ['Measure before', 'Calibrate', 'Score', 'Reconstruct', 'Lay out files', 'Measure after'];
let site;
let page;

before(async () => {
  site = await open(SITE);
  page = site.page;
});
after(() => site.close());

/** Presses the cancel button the moment the page shows the phase; gives back the time until the run button is there again. */
function cancelIn(phase) {
  return page.evaluate(
    (wanted) =>
      new Promise((resolve, reject) => {
        const get = (id) => document.querySelector(`[data-testid="${id}"]`);
        let pressed = 0;
        const look = () => {
          if (!pressed && get('progress-now').textContent.startsWith(wanted)) {
            pressed = performance.now();
            get('cancel').click();
          }
          if (!get('cancel').hidden) return;
          observer.disconnect();
          if (pressed) resolve(performance.now() - pressed);
          else reject(new Error(`the run ended before ${wanted}: ${get('alert').textContent}`));
        };
        const observer = new MutationObserver(look);
        get('run').click();
        observer.observe(document.body, { subtree: true, childList: true, attributes: true, characterData: true });
      }),
    phase,
  );
}

for (const [device, phases, size] of [
  ['cpu', PHASES, { sequences: 24, rows: 24 }],
  ['gpu', ['Measure before', 'Calibrate', 'Reconstruct'], { sequences: 4, rows: 4 }],
]) {
  test(`on the ${device}`, { timeout: 900_000 }, async (t) => {
    await page.reload();
    await ready(page, device);
    await takeDemo(page);
    await fill(page, { neurons: true, ratio: 30, output: 'stock', ...size });
    for (const phase of phases) {
      await t.test(`cancel while it says “${phase}”`, async () => {
        const took = await cancelIn(phase);
        t.diagnostic(`${device}, ${phase}: ${Math.round(took)} ms`);
        // How long it took is told, not judged: a busy machine is no defect, and a silent worker is ended after a second.
        assert.match(await page.getByTestId('status').textContent(), /cancelled; nothing was written/);
        assert.equal(await page.getByTestId('comparison').count(), 0);
        assert.equal(await page.getByTestId('alert').textContent(), '');
      });
    }
    await t.test('the next run works', { timeout: 600_000 }, async () => {
      await runToTheEnd(page, 590_000);
      assert.match(await page.getByTestId('device-chip').textContent(), new RegExp(`^${device}`, 'i'));
    });
  });
}
