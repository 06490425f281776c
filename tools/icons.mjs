// icons.mjs: draws www/icons/*.png, which installed pages are shown with, from the page's own icon. Wants a Chromium
// (COPPICE_CHROMIUM); run it again where www/src/styles/icon.svg has changed.
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { launch } from '../tests/browser/chromium.mjs';

const root = new URL('..', import.meta.url).pathname;
const svg = await readFile(`${root}www/src/styles/icon.svg`, 'utf8');

/** Names, sizes, and the share of the width that the drawing takes: a maskable icon is cut to any shape within its middle four fifths. */
const ICONS = [
  ['icon-192', 192, 1, 'transparent'],
  ['icon-512', 512, 1, 'transparent'],
  ['maskable-512', 512, 0.56, '#faf9f5'],
];

const browser = await launch({ webgpu: false });
const page = await browser.newPage();
await mkdir(`${root}www/icons`, { recursive: true });
for (const [name, size, share, ground] of ICONS) {
  await page.setViewportSize({ width: size, height: size });
  await page.setContent(
    `<style>body { margin: 0; background: ${ground}; height: 100vh; display: grid; place-items: center } svg { width: ${100 * share}vw }</style>${svg}`,
  );
  await writeFile(`${root}www/icons/${name}.png`, await page.screenshot({ omitBackground: true }));
}
await browser.close();
