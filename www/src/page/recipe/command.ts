import type { Recipe } from '../../lib/coppice.ts';

/** What the command takes beside the recipe. */
export interface CommandOptions {
  /** Name of the model's folder. */
  model: string;
  /** `auto`, `gpu` or `cpu`. */
  device: string;
  /** GiB that a run may use, where the page says so. */
  memory: string;
}

/** The file that the command line writes the recipe to. */
export const RECIPE_FILE = 'coppice-recipe.json';

/**
 * What to paste into a POSIX shell to do natively what the page would: it writes the recipe to a file, and prunes by it. The recipe goes
 * by a document with a quoted end, in which a shell changes nothing; no line of JSON can be that end.
 */
export function commandOf(recipe: Recipe, { model, device, memory }: CommandOptions): string {
  const command = ['coppice', 'prune', quoted(model), '--recipe', RECIPE_FILE, '--out', quoted(`${model}-pruned`)];
  if (device !== 'auto') command.push('--device', quoted(device));
  if (memory !== '') command.push('--memory', quoted(memory));
  // An interactive bash would look into its history for what follows an exclamation mark.
  const json = JSON.stringify(recipe, null, 2).replaceAll('!', '\\u0021');
  return `cat > ${RECIPE_FILE} <<'END_OF_RECIPE'\n${json}\nEND_OF_RECIPE\n${command.join(' ')}\n`;
}

/** A word as a POSIX shell takes it for exactly that. */
export function quoted(word: string): string {
  // A name that begins with a dash would be taken for an option.
  const path = word.startsWith('-') ? `./${word}` : word;
  return /^[\w@%+=:,./-]+$/.test(path) ? path : `'${path.replaceAll("'", `'\\''`)}'`;
}
