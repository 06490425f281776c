// What a person does on the page, for the tests to do.
import { readdir } from 'node:fs/promises';

/** Drops files or folders of the disk onto the page, as the system's file manager would. */
export async function drop(page, paths) {
  const zone = await page.getByTestId('drop-zone').boundingBox();
  const [x, y] = [zone.x + zone.width / 2, zone.y + 10];
  const session = await page.context().newCDPSession(page);
  const data = { items: [], files: paths, dragOperationsMask: 1 };
  for (const type of ['dragEnter', 'dragOver', 'drop'])
    await session.send('Input.dispatchDragEvent', { type, x, y, data });
  await session.detach();
}

/** Chooses a folder in the folder picker. */
export function pickFolder(page, folder) {
  return page.getByTestId('model-folder').setInputFiles(folder);
}

/** Chooses a folder's files in the picker for several files. */
export async function pickFiles(page, folder) {
  const names = await readdir(folder);
  await page.getByTestId('model-files').setInputFiles(names.map((name) => `${folder}/${name}`));
}

/** The model's facts, once they are there. */
export async function facts(page) {
  const region = page.getByTestId('model-facts');
  await region.getByText('Architecture').waitFor({ timeout: 30_000 });
  return (await region.innerText()).replaceAll('\u00a0', ' ');
}

/** Fills the recipe; `undefined` leaves a field as it is. */
export async function fill(page, { heads, neurons, ratio, output, pad, sequences, rows, reconstruction, errorAware }) {
  const tick = async (id, value) => value !== undefined && (await page.getByTestId(id).setChecked(value));
  const type = async (id, value) => value !== undefined && (await page.getByTestId(id).fill(String(value)));
  const choose = async (id, value) => value !== undefined && (await page.getByTestId(id).selectOption(value));
  await tick('unit-heads', heads);
  await tick('unit-neurons', neurons);
  await type('ratio', ratio);
  await choose('reconstruction', reconstruction);
  await tick('error-aware', errorAware);
  await choose('output', output);
  await tick('pad', pad);
  await type('sequences', sequences);
  if (rows === 0) await page.getByTestId('evaluation-none').check();
  else await type('evaluation-rows', rows);
}

/** Starts the run and waits for its result; a sentence in the alert region fails it. */
export async function runToTheEnd(page, timeout) {
  await page.getByTestId('run').click();
  await page.getByTestId('cancel').waitFor();
  await page.getByTestId('run').waitFor({ timeout });
  const alert = await page.getByTestId('alert').textContent();
  if (alert !== '') throw new Error(`the page said: ${alert}`);
  await page.getByTestId('comparison').waitFor();
}

/** A share that the page shows, `88.9 %`, as a number. */
export async function share(page, id) {
  return Number.parseFloat(await page.getByTestId(id).textContent()) / 100;
}
