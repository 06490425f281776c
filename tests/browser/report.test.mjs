// The report of a run: everything of it on paper, light, and no text or control of the page.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdir, writeFile } from 'node:fs/promises';
import { after, before, beforeEach, test } from 'node:test';
import { runToTheEnd } from './person.mjs';
import { accessible, MOCK, open, OUT, ready, takeDemo } from './site.mjs';

let site;
let page;

before(async () => {
  site = await open(MOCK);
  page = site.page;
});
after(() => site.close());

beforeEach(async () => {
  await page.reload();
  await ready(page);
  await takeDemo(page);
});

const byId = (id) => page.getByTestId(id);

async function prune({ kind = 'structured', ratio = '50' } = {}) {
  await byId('kind').selectOption(kind);
  await byId('ratio').fill(ratio);
  await byId('sequences').fill('20');
  await runToTheEnd(page);
}

async function openReport() {
  await byId('report-open').click();
  await byId('report').waitFor();
  return (await byId('report').innerText()).replaceAll('\u00a0', ' ');
}

test('the report tells the whole run, and not the texts', async () => {
  await prune();
  await byId('attempt-name').fill('My attempt');
  await byId('attempt-name').press('Enter');
  const name = await byId('attempt-name').inputValue();
  const text = await openReport();
  const year = String(new Date().getFullYear());
  const { version } = await import('../../www/package.json', { with: { type: 'json' } }).then((one) => one.default);
  for (const part of [
    'Pruning report: bert-sst2',
    name,
    year,
    `Coppice ${version}`,
    // The run.
    'CPU: stand-in (mock)',
    'start 1 of this worker',
    'sst2-train.tsv',
    'sst2-dev.tsv: 872 lines',
    // Before and after.
    '89.8 %',
    '88.9 %',
    '0.0312',
    'The text held 480 sequences',
    'Layer 5, neurons 1201: removed',
    // Methods with papers.
    'FLAP: An et al., 2024 (AAAI)',
    'LIAR, 2024 (arXiv 2407.13331)',
    'What flap does.',
    // Caveats.
    'The speed of this model was not measured.',
    'gets smaller and faster everywhere',
    'off by about 1.0 %',
    '2 decisions were close calls',
  ]) {
    assert.ok(text.includes(part), `the report lacks “${part}”:\n${text}`);
  }
  assert.ok(!text.includes('good') && !text.includes('film'), 'no sentence of the texts');
  const rows = await page.locator('.report table', { hasText: 'Heads kept' }).locator('tbody tr').count();
  assert.equal(rows, 6, 'a row a layer');
  assert.ok((await page.locator('.report .map-row').count()) >= 8, 'the map is drawn');
  assert.equal(await page.locator('.report .scatter .point').count(), 2, 'the chart is drawn');
  // The command is one that a shell takes, and holds the recipe of the run.
  const command = await byId('report-command').textContent();
  execFileSync('bash', ['-n'], { input: command });
  const recipe = JSON.parse(command.slice(command.indexOf('{'), command.lastIndexOf('}') + 1));
  assert.deepEqual([recipe.method.criterion, recipe.calibration.sequences], ['flap', 20]);
  assert.match(command, /\ncoppice prune bert-sst2 --recipe .* --out bert-sst2-pruned --device cpu\n$/);
});

test('it lies over the page, by keyboard too, and goes away again', async () => {
  await prune();
  const title = await page.title();
  await byId('report-open').focus();
  const place = await page.evaluate(() => scrollY);
  await page.keyboard.press('Enter');
  await byId('report').waitFor();
  assert.equal(await page.evaluate(() => document.activeElement.tagName), 'H1');
  assert.match(await page.title(), /Coppice report, bert-sst2, /);
  assert.equal(await byId('run').isVisible(), false);
  for (const colorScheme of ['light', 'dark']) {
    await page.emulateMedia({ colorScheme });
    await accessible(page);
  }
  for (const width of [390, 1280]) {
    await page.setViewportSize({ width, height: 800 });
    const wide = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
    assert.ok(wide <= 0, `${wide} pixels over at ${width}`);
  }
  // Nothing of the page is pressed from the sheet but its own two buttons.
  assert.equal(await page.locator('.report button, .report input, .report select').count(), 2);
  let printed = false;
  await page.exposeFunction('printed', () => (printed = true));
  await page.evaluate(() => (window.print = () => window.printed()));
  await byId('report-print').click();
  await page.waitForTimeout(50);
  assert.ok(printed);
  await page.keyboard.press('Escape');
  assert.equal(await byId('report').count(), 0);
  assert.equal(await page.title(), title);
  assert.equal(await page.evaluate(() => document.activeElement.dataset.testid), 'report-open');
  assert.ok(Math.abs((await page.evaluate(() => scrollY)) - place) < 200);
  await byId('report-open').click();
  await byId('report-close').click();
  assert.equal(await byId('report').count(), 0);
});

test('on paper it is light, without controls, and no more than it needs', async () => {
  await page.emulateMedia({ colorScheme: 'dark' });
  await prune({ kind: 'low_rank', ratio: '30' });
  await openReport();
  const pdf = await page.pdf({ format: 'A4', preferCSSPageSize: true, printBackground: true });
  await mkdir(OUT, { recursive: true });
  await writeFile(`${OUT}/report.pdf`, pdf);
  const pages = pdf.toString('latin1').match(/\/Type\s*\/Page\b/g).length;
  assert.ok(pages >= 2 && pages <= 8, `${pages} pages`);
  await page.emulateMedia({ media: 'print', colorScheme: 'dark' });
  const look = await page.evaluate(() => {
    const style = getComputedStyle(document.body);
    return { paper: style.backgroundColor, ink: style.color };
  });
  assert.deepEqual(look, { paper: 'rgb(255, 255, 255)', ink: 'rgb(30, 38, 32)' });
  assert.equal(await byId('report-print').isVisible(), false);
  assert.equal(await page.locator('#model').isVisible(), false);
  assert.equal(
    await page.evaluate(() => getComputedStyle(document.querySelector('.report thead')).display),
    'table-header-group',
  );
  await page.emulateMedia({ media: null, colorScheme: null });
});

test('a run by a plan is told with its file, and one without a comparison says so', async () => {
  await byId('evaluation-none').check();
  // Layers of widths of their own need it.
  await byId('output').selectOption('sliced');
  await prune();
  await byId('map-layer').selectOption({ index: 3 });
  await byId('map-cut-layer').click();
  await byId('map-prune').click();
  await byId('cancel').waitFor();
  await byId('run').waitFor();
  await byId('result-attempt').getByText('Plan').waitFor();
  const text = await openReport();
  assert.ok(text.includes('none; quality was not measured'), text);
  assert.ok(text.includes('plan.json, a file of the output folder'), text);
  assert.match(await byId('report-command').textContent(), /"plan": "plan\.json"/);
});
