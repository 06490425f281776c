import listed from './demos.json' with { type: 'json' };
import type { WORDS } from './words/en.ts';

/** A model that the site holds, with its texts; the catalogues have its title, and those of its texts, by `id`. */
export type Demo = Omit<(typeof listed)[number], 'id'> & { id: keyof typeof WORDS.model.demos };

export const demos = listed as Demo[];
