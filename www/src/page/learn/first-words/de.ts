import type { Translated } from '../../catalogue.ts';
import type { FIRST_WORDS as ENGLISH } from './en.ts';

export const FIRST_WORDS: Translated<typeof ENGLISH> = {
  method: 'So geht es (englisch)',
  methodOf: (title: string) => `So geht es: ${title} (auf Englisch, in einem neuen Tab)`,
};
