// size.mjs BUDGET PATH...: prints the size of files (folders are walked), raw and gzipped, and fails where the gzipped sum
// is over BUDGET bytes. `models/` and `data/` are left out: the page fetches them only when a person asks for a demo; and `icons/`, which a
// browser fetches where a person installs the page.
import { readFileSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';

const [budget, ...paths] = process.argv.slice(2);
const walk = (path) =>
  statSync(path).isDirectory()
    ? readdirSync(path).flatMap((name) => (['models', 'data', 'icons'].includes(name) ? [] : walk(join(path, name))))
    : [path];

let sum = 0;
for (const file of paths.flatMap(walk)) {
  const bytes = readFileSync(file);
  const small = gzipSync(bytes, { level: 9 }).length;
  sum += small;
  console.log(`${String(bytes.length).padStart(9)} ${String(small).padStart(9)} gzipped  ${file}`);
}
console.log(`${String(sum).padStart(19)} gzipped in all, of ${budget}`);
if (sum > Number(budget)) {
  console.error(`error: ${sum} bytes gzipped are over the budget of ${budget}; look for what grew above.`);
  process.exit(1);
}
