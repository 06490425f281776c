import type { Catalog, Choice } from '../../lib/coppice.ts';
import { wordsOf } from '../catalogue.ts';
import { CHOICES as ENGLISH } from './words/en.ts';

const CHOICES = wordsOf('menus', ENGLISH);

/** What recipes can name, with titles and summaries in the page's language; the core has them in English. */
export function inLanguage(catalog: Catalog): Catalog {
  const named = (menu: string) => (choice: Choice) => {
    const [title, summary] = CHOICES[`${menu}/${choice.name}`] ?? [choice.title, choice.summary];
    return { ...choice, title, summary };
  };
  const menus = Object.entries(catalog as unknown as Record<string, Choice[]>);
  return Object.fromEntries(menus.map(([menu, choices]) => [menu, choices.map(named(menu))])) as unknown as Catalog;
}
