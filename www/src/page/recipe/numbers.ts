import { WORDS } from './words.ts';

/** The number that a field holds; an error names the field. */
export function number(text: string, what: string, least: number, whole: boolean): number {
  const value = text.trim() === '' ? NaN : Number(text);
  if (!Number.isFinite(value) || value < least || (whole && !Number.isInteger(value))) {
    throw new Error(WORDS.number(what, least, whole));
  }
  return value;
}

/** The share to remove, of a field in percent. */
export function ratio(text: string): number {
  const percent = number(text, WORDS.fields.ratio, 0, false);
  if (percent >= 100) throw new Error(WORDS.ratioWhole(percent));
  return percent / 100;
}

/** A share that is asked for in percent. */
export function share(
  text: string,
  what: string,
  least: string,
  fits: (part: number) => boolean,
  most = WORDS.bounds.most,
): number {
  const percent = text.trim() === '' ? NaN : Number(text);
  if (!(percent >= 0 && percent <= 100 && fits(percent))) throw new Error(WORDS.share(what, least, most));
  return percent / 100;
}

/** A share as percent: the shortest number that comes back as exactly this share, since 100 × 0.07 is not 7. */
export function percentOf(part: number): string {
  const digits = Array.from({ length: 17 }, (_, place) => String(Number((100 * part).toPrecision(place + 1))));
  return digits.find((text) => Number(text) / 100 === part) ?? String(100 * part);
}
