import { language } from './language.ts';
import { NUMERALS } from './numerals.ts';

/** Keeps a number and its unit on one line. */
export const GAP = '\u00a0';

/** Formats are costly to make, and few. */
const formats = new Map<string, Intl.NumberFormat>();

function format(value: number, options: Intl.NumberFormatOptions): string {
  const key = language + JSON.stringify(options);
  const found = formats.get(key) ?? new Intl.NumberFormat(language, options);
  formats.set(key, found);
  return found.format(value);
}

export function count(value: number): string {
  return format(value, {});
}

/** A number with so many digits behind the decimal sign. */
export function fixed(value: number, digits: number): string {
  return format(value, { minimumFractionDigits: digits, maximumFractionDigits: digits, useGrouping: false });
}

/** A number with so many digits behind the decimal sign at most. */
export function rounded(value: number, digits: number): string {
  return format(value, { maximumFractionDigits: digits, useGrouping: false });
}

/** A number with so many digits at most that count. */
export function digits(value: number, most: number): string {
  return format(value, { maximumSignificantDigits: most, useGrouping: false });
}

/** Three digits of a number that may span many orders of magnitude: with a power of ten below `small` and from `large` on. */
export function figure(value: number, small: number, large = Infinity): string {
  const size = Math.abs(value);
  if (value === 0 || (size >= small && size < large)) return digits(value, 3);
  const [mantissa = '', power = ''] = value.toExponential(2).split('e');
  return `${fixed(Number(mantissa), 2)}e${power}`;
}

/** A number as marks of axes have it: 16.7M. */
export function brief(value: number): string {
  return format(value, { notation: 'compact', maximumSignificantDigits: 4 });
}

/** Three digits, those behind the decimal sign that are 0 too. */
function three(value: number): string {
  return format(value, { minimumSignificantDigits: 3, maximumSignificantDigits: 3, useGrouping: false });
}

/** 16.7 M, 1.10 B, 950. */
export function short(value: number): string {
  for (const [size, name] of NUMERALS[language].sizes) {
    if (value >= size) return three(value / size) + GAP + name;
  }
  return count(value);
}

/** Bytes in decimal units, as file managers show them. */
export function bytes(value: number): string {
  for (const [size, unit] of [
    [1e9, 'GB'],
    [1e6, 'MB'],
    [1e3, 'kB'],
  ] as const) {
    if (value >= size) return three(value / size) + GAP + unit;
  }
  return `${value}${GAP}${NUMERALS[language].bytes}`;
}

export function percent(share: number, digits = 1): string {
  return `${fixed(share * 100, digits)}${GAP}%`;
}

export function duration(seconds: number): string {
  if (seconds < 1) return `1${GAP}s`;
  if (seconds < 90) return `${Math.round(seconds)}${GAP}s`;
  const minutes = Math.floor(seconds / 60);
  return minutes < 90 ? `${minutes} min ${Math.round(seconds % 60)} s` : `${fixed(minutes / 60, 1)} h`;
}

/** 12, or 4 to 12 where layers differ. */
export function spread(values: readonly number[]): string {
  const [low, high] = [Math.min(...values), Math.max(...values)];
  return low === high ? count(low) : `${count(low)} ${NUMERALS[language].to} ${count(high)}`;
}

/** The number that a person wrote: 12.5 and 12,5; and thousands apart, as the page writes them. */
export function parse(text: string): number | undefined {
  const { thousands, decimals } = NUMERALS[language];
  const bare = text.replace(/[%\s]/g, '');
  const [whole = '', ...rest] = bare.split(decimals);
  const grouped = rest.length < 2 && new RegExp(`^-?[1-9]\\d{0,2}([${thousands}]\\d{3})+$`).test(whole);
  const plain = grouped ? [whole.replaceAll(thousands, ''), ...rest].join('.') : bare.replace(',', '.');
  return plain !== '' && Number.isFinite(Number(plain)) ? Number(plain) : undefined;
}
