// Measures the first load of the page: bytes as a compressing server sends them, requests, first paint and blocking time, on this
// machine's processor and on one slowed down four times.
//
//   node benches/page_budget.mjs [--rounds 5] [--site dist]
//
// Wants the built site (make site) and a Chromium (COPPICE_CHROMIUM). Times are medians over rounds, each in a fresh browser.
import { cpus } from 'node:os';
import { parseArgs } from 'node:util';
import { firstLoad, kept } from '../tests/browser/first-load.mjs';
import { SITE } from '../tests/browser/site.mjs';
import { median } from './median.mjs';

const { values } = parseArgs({
  options: { rounds: { type: 'string', default: '5' }, site: { type: 'string', default: SITE } },
});
const count = new Intl.NumberFormat('en').format;

async function measure(throttle) {
  const rounds = [];
  for (let round = 0; round < Number(values.rounds); round += 1) rounds.push(await firstLoad(values.site, { throttle }));
  const of = (figure) => median(rounds.map((one) => one[figure]));
  return { paint: of('paint'), content: of('content'), ready: of('ready'), blocking: of('blocking'), last: rounds.at(-1) };
}

const [plain, slowed] = [await measure(1), await measure(4)];
const whole = await firstLoad(values.site, { serviceWorkers: 'allow', then: kept });

console.log(`${cpus()[0].model.trim()}, ${cpus().length} cores; medians of ${values.rounds} first loads\n`);
console.log('| | |\n| --- | --- |');
console.log(`| bytes, compressed, until a model can be chosen | ${count(plain.last.bytes)} |`);
console.log(`| requests until then | ${plain.last.requests} |`);
console.log(`| bytes of the rest, which the page keeps for use offline | ${count(whole.bytes - plain.last.bytes)} |`);
console.log(`| requests for that | ${whole.requests - plain.last.requests} |`);
console.log('\n| | this machine | slowed down 4 times |\n| --- | --- | --- |');
const row = (title, figure) => console.log(`| ${title} | ${plain[figure].toFixed(0)} | ${slowed[figure].toFixed(0)} |`);
row('first contentful paint, ms', 'paint');
row('DOMContentLoaded, ms', 'content');
row('total blocking time, ms', 'blocking');
row('device known, ms', 'ready');
console.log('\nWhat is fetched until a model can be chosen:\n');
for (const { path, bytes } of plain.last.sent) console.log(`${count(bytes).padStart(10)}  ${path}`);
