// screenshots.mjs [NAME...]: pictures of every screen of the built page, or of those named, at 1280 and 390 pixels, light and dark,
// into docs/screens/, with an index. It uses the page as a person does, with the real demo models on the CPU.
//
// Wants the built site (make site) and a Chromium (COPPICE_CHROMIUM). A screen that does not come is told at the end, and the status is 1.
import { mkdir, readdir, rm, writeFile } from 'node:fs/promises';
import { open, ready, SITE, takeDemo } from '../tests/browser/site.mjs';
import { runToTheEnd } from '../tests/browser/person.mjs';

const OUT = new URL('../docs/screens/', import.meta.url).pathname;
const WIDTHS = [1280, 390];
const SCHEMES = ['light', 'dark'];
/** Heights of a picture, at least and at most; what is longer goes on below. */
const [LOW, HIGH] = [480, 1500];
const QUALITY = 70;
const MINUTE = 60_000;

const id = (page, name) => page.getByTestId(name);

/** A run with little text, so that the pictures come quickly. */
async function prune(page, { ratio, repair, sequences = 24, rows = 100 }) {
  await id(page, 'ratio').fill(String(ratio));
  if (repair) await id(page, 'reconstruction').selectOption(repair);
  await id(page, 'sequences').fill(String(sequences));
  await id(page, 'evaluation-rows').fill(String(rows));
  await runToTheEnd(page, 3 * MINUTE);
}

async function learn(page, view) {
  if (await id(page, 'learn').isVisible().catch(() => false)) await id(page, 'learn-close').click();
  await id(page, `learn-${view}`).click();
  await id(page, 'learn').waitFor();
}

/**
 * The screens in the order of a visit: what each is called, the element that its picture begins with, what a person does before,
 * and what after. A screen that is not asked for is passed through all the same, since later ones build on it.
 */
const SCREENS = [
  { name: 'start', title: 'Start', at: 'body' },
  { name: 'model', title: 'A model and its map', at: '#model', before: (page) => takeDemo(page) },
  { name: 'texts', title: 'Texts', at: '#texts' },
  { name: 'recipe-units', title: 'Recipe: whole units', at: '#recipe' },
  {
    name: 'recipe-weights',
    title: 'Recipe: single weights',
    at: '#recipe',
    before: (page) => id(page, 'kind').selectOption('sparse'),
  },
  {
    name: 'recipe-ranks',
    title: 'Recipe: ranks',
    at: '#recipe',
    before: (page) => id(page, 'kind').selectOption('low_rank'),
    after: (page) => id(page, 'kind').selectOption('structured'),
  },
  {
    name: 'running',
    title: 'A run under way',
    at: '#run',
    async before(page) {
      await id(page, 'unit-heads').check();
      await id(page, 'output').selectOption('sliced');
      await id(page, 'ratio').fill('50');
      await id(page, 'sequences').fill('64');
      await id(page, 'evaluation-rows').fill('100');
      await id(page, 'run').click();
      // Far enough that the charts have something to show, and held for the pictures.
      await page.waitForFunction(
        () => /Score|Repair|Reconstruct/i.test(document.querySelector('[data-testid="progress-now"]').textContent),
        undefined,
        { timeout: 3 * MINUTE },
      );
      await id(page, 'pause').click();
    },
    async after(page) {
      await id(page, 'pause').click();
      await id(page, 'run').waitFor({ timeout: 3 * MINUTE });
      await id(page, 'comparison').waitFor();
    },
  },
  { name: 'result', title: 'The result', at: '#result' },
  {
    name: 'result-map',
    title: 'The result as a map: what was scored, what stays',
    at: 'figure:has([data-testid="result-map"])',
  },
  {
    name: 'report',
    title: 'The report, to be printed',
    at: '[data-testid="report"]',
    async before(page) {
      await id(page, 'report-open').click();
      await id(page, 'report').waitFor();
    },
    after: (page) => id(page, 'report-close').click(),
  },
  {
    name: 'sentence',
    title: 'A sentence, by the dense and the pruned model',
    at: '#try',
    async before(page) {
      await id(page, 'sentence-ask').click();
      await id(page, 'classes').waitFor({ timeout: MINUTE });
      await id(page, 'sentence-changed').click();
      await id(page, 'sentence-status').getByText('predictions changed').waitFor({ timeout: 2 * MINUTE });
    },
  },
  {
    name: 'attempts',
    title: 'Attempts of a visit',
    at: '#attempts',
    async before(page) {
      for (const [ratio, repair] of [
        [30, 'liar'],
        [70, 'liar'],
        [50, 'bias'],
      ])
        await prune(page, { ratio, repair });
    },
  },
  {
    name: 'chart',
    title: 'Quality against size, over all attempts',
    at: 'figure:has([data-testid="chart"])',
  },
  { name: 'walk', title: 'The guided walk', at: '#model', before: (page) => learn(page, 'walk') },
  {
    name: 'lab',
    title: 'The lab sheet',
    at: '#model',
    before: (page) => learn(page, 'lab'),
    after: (page) => id(page, 'learn-close').click(),
  },
  {
    name: 'text',
    title: 'A story, by the dense and the pruned model',
    at: '#try',
    async before(page) {
      await takeDemo(page, 'gpt2-stories');
      await id(page, 'length').fill('64');
      await prune(page, { ratio: 30, repair: 'liar', sequences: 8, rows: 512 });
      await id(page, 'max-tokens').fill('60');
      await id(page, 'generate').click();
      await id(page, 'generation-status').getByText('Done.').waitFor({ timeout: 2 * MINUTE });
    },
  },
  {
    name: 'storage',
    title: 'What the browser keeps',
    at: 'footer',
    async before(page) {
      await id(page, 'storage-show').click();
      await page.locator('[data-testid="storage-keep"][data-group="gpt2-stories"]').click();
      await id(page, 'storage-status').getByText('Kept').waitFor({ timeout: MINUTE });
    },
  },
  {
    name: 'german',
    title: 'In German',
    at: 'body',
    async before(page, origin) {
      await page.goto(`${origin}/?lang=de`);
      await page.locator('html[lang="de"]').waitFor();
      await ready(page);
      await id(page, 'demo-bert-sst2').click();
      await id(page, 'model-map').waitFor();
    },
  },
  {
    name: 'methods',
    title: 'Methods and formulas',
    at: 'main h2',
    before: (page, origin) => page.goto(`${origin}/methods.html`),
  },
];

/** One picture of the window, as high as the element is within bounds, scrolled so that it begins below the page's top bar. */
async function picture(page, session, at, width, colorScheme) {
  await page.emulateMedia({ colorScheme, reducedMotion: 'reduce' });
  await page.mouse.move(0, 0);
  await page.setViewportSize({ width, height: 800 });
  const element = page.locator(at).first();
  const measure = () =>
    element.evaluate((one) => {
      const bar = document.querySelector('.top')?.getBoundingClientRect().height ?? 0;
      const { top, height } = one.getBoundingClientRect();
      return { top: top + scrollY - bar - 16, height: height + bar + 32 };
    });
  const { height } = await measure();
  await page.setViewportSize({ width, height: Math.round(Math.min(HIGH, Math.max(LOW, height))) });
  const { top } = await measure();
  await page.evaluate((y) => {
    document.documentElement.style.scrollBehavior = 'auto';
    scrollTo(0, y);
  }, top);
  // Observers of sizes draw once more.
  await page.evaluate(() => new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(resolve))));
  const { data } = await session.send('Page.captureScreenshot', { format: 'webp', quality: QUALITY });
  return Buffer.from(data, 'base64');
}

const fileName = (name, width, scheme) => `${name}-${width}-${scheme}.webp`;

/** The index, which shows all of them. */
function index() {
  const lines = [
    '# Screens of the page',
    '',
    'The real page with its demo models on the CPU, at 1280 and 390 pixels, light and dark. Made by `make screenshots`.',
  ];
  for (const { name, title } of SCREENS) {
    lines.push('', `## ${title}`, '');
    for (const width of WIDTHS) {
      const shown = width > 1000 ? 480 : 240;
      const tags = SCHEMES.map(
        (scheme) => `<img src="${fileName(name, width, scheme)}" width="${shown}" alt="${title}, ${width} pixels, ${scheme}">`,
      );
      lines.push(tags.join('\n'));
    }
  }
  return `${lines.join('\n')}\n`;
}

const wanted = new Set(process.argv.slice(2));
const unknown = [...wanted].filter((name) => !SCREENS.some((screen) => screen.name === name));
if (unknown.length > 0) {
  console.error(`error: there is no screen ${unknown.join(', ')}; choose from: ${SCREENS.map(({ name }) => name).join(' ')}.`);
  process.exit(2);
}
await mkdir(OUT, { recursive: true });
if (wanted.size === 0) {
  for (const name of await readdir(OUT)) if (name.endsWith('.webp')) await rm(OUT + name);
  await writeFile(`${OUT}README.md`, index());
}

const site = await open(SITE, { expectErrors: true, flags: ['--hide-scrollbars'] });
const { page, origin } = site;
const session = await page.context().newCDPSession(page);
const failed = [];
let sum = 0;
await ready(page, 'cpu');
for (const { name, at, before, after } of SCREENS) {
  const began = Date.now();
  let bytes = 0;
  try {
    await page.setViewportSize({ width: 1280, height: 900 });
    await before?.(page, origin);
    for (const width of wanted.size === 0 || wanted.has(name) ? WIDTHS : []) {
      for (const scheme of SCHEMES) {
        const image = await picture(page, session, at, width, scheme);
        bytes += image.length;
        await writeFile(OUT + fileName(name, width, scheme), image);
      }
    }
    await page.setViewportSize({ width: 1280, height: 900 });
    await after?.(page, origin);
  } catch (error) {
    failed.push(`${name}: ${error.message.split('\n')[0]}`);
  }
  sum += bytes;
  console.log(`${name.padEnd(16)} ${((Date.now() - began) / 1000).toFixed(1).padStart(6)} s ${String(bytes).padStart(9)} bytes`);
}
await site.close();
console.log(`${sum} bytes in all`);
for (const one of failed) console.error(`error: no picture of ${one}`);
process.exit(failed.length > 0 ? 1 : 0);
