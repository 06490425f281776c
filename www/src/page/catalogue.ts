import type { GERMAN } from './german.ts';

/** What a catalogue in another language must have: the same names and parameters, with sentences of its own. */
export type Translated<T> = T extends string
  ? string
  : T extends (...parameters: infer P) => infer R
    ? (...parameters: P) => Translated<R>
    : T extends object
      ? { readonly [K in keyof T]: Translated<T[K]> }
      : T;

/** Catalogues of a language, by the part of the page that they belong to. */
export type Catalogues = typeof GERMAN;

let translated: Catalogues | undefined;

/** Lets the page speak another language than English. Parts of the page take their words as they are loaded, so this comes first. */
export function translate(catalogues: Catalogues): void {
  translated = catalogues;
}

/** The words of a part of the page in the language that it speaks. */
export function wordsOf<Part extends keyof Catalogues>(part: Part, english: Catalogues[Part]): Catalogues[Part] {
  return translated?.[part] ?? english;
}
