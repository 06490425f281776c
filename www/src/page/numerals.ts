import type { Language } from './language.ts';

/** What numbers are written with, beside what the browser knows of a language. */
interface Numerals {
  /** Of thousands, millions and billions, from the largest. */
  sizes: readonly [size: number, name: string][];
  bytes: string;
  to: string;
  /** What a person may write between thousands, and before decimals. */
  thousands: string;
  decimals: string;
}

export const NUMERALS: Record<Language, Numerals> = {
  en: {
    sizes: [
      [1e9, 'B'],
      [1e6, 'M'],
      [1e3, 'k'],
    ],
    bytes: 'bytes',
    to: 'to',
    thousands: ',',
    decimals: '.',
  },
  de: {
    sizes: [
      [1e9, 'Mrd.'],
      [1e6, 'Mio.'],
      [1e3, 'Tsd.'],
    ],
    bytes: 'Byte',
    to: 'bis',
    thousands: '.',
    decimals: ',',
  },
};
