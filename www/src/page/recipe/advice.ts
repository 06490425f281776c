import type { Inspection } from '../../lib/coppice.ts';
import type { RecipeForm } from './form.ts';
import { WORDS } from './words.ts';

/** What the model's stock config cannot hold of what is asked for; empty where nothing is to be said. */
export function adviceOn(form: RecipeForm, inspection: Inspection | undefined): string {
  if (form.kind !== 'structured') return '';
  const data = new FormData(form.element);
  const units = data.getAll('units').map(String);
  const hidden = units.includes('hidden');
  const { advice } = WORDS;
  if (hidden && units.includes('layers')) return advice.layersAndHidden;
  if (!inspection || data.get('output') !== 'stock') return '';
  if (data.has('pad')) return hidden ? advice.padHidden : '';
  const { family, stock_units: stock } = inspection;
  if (!stock.includes('heads') && hidden && !units.includes('heads')) return advice.hiddenAlone(family);
  // Where a config cannot hold fewer heads alone, it can with a narrower residual stream.
  const fits = (unit: string) =>
    stock.includes(unit) || ['layers', 'hidden'].includes(unit) || (unit === 'heads' && hidden);
  const misfits = units.filter((unit) => !fits(unit));
  return misfits.length === 0 ? '' : advice.misfits(family, misfits);
}
