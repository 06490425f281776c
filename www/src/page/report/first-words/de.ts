import type { Translated } from '../../catalogue.ts';
import type { FIRST_WORDS as ENGLISH } from './en.ts';

export const FIRST_WORDS: Translated<typeof ENGLISH> = {
  open: 'Bericht drucken oder speichern',
};
