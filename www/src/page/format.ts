import type { Inspection } from '../lib/types.ts';
import { sharesKeys } from './kind.ts';

/** Keeps a number and its unit on one line. */
const GAP = '\u00a0';

const whole = new Intl.NumberFormat('en');

export function count(value: number): string {
  return whole.format(value);
}

/** 16.7 M, 1.10 B, 950. */
export function short(value: number): string {
  for (const [size, letter] of [
    [1e9, 'B'],
    [1e6, 'M'],
    [1e3, 'k'],
  ] as const) {
    if (value >= size) return (value / size).toPrecision(3) + GAP + letter;
  }
  return whole.format(value);
}

/** Bytes in decimal units, as file managers show them. */
export function bytes(value: number): string {
  for (const [size, unit] of [
    [1e9, 'GB'],
    [1e6, 'MB'],
    [1e3, 'kB'],
  ] as const) {
    if (value >= size) return (value / size).toPrecision(3) + GAP + unit;
  }
  return `${value}${GAP}bytes`;
}

export function percent(share: number, digits = 1): string {
  return `${(share * 100).toFixed(digits)}${GAP}%`;
}

export function duration(seconds: number): string {
  if (seconds < 1) return `1${GAP}s`;
  if (seconds < 90) return `${Math.round(seconds)}${GAP}s`;
  const minutes = Math.floor(seconds / 60);
  return minutes < 90 ? `${minutes} min ${Math.round(seconds % 60)} s` : `${(minutes / 60).toFixed(1)} h`;
}

/** 12, or 4 to 12 where layers differ. */
export function spread(values: readonly number[]): string {
  const [low, high] = [Math.min(...values), Math.max(...values)];
  return low === high ? count(low) : `${count(low)} to ${count(high)}`;
}

/** What the heads of a model are, as a label. */
export function headsName(model: Inspection): string {
  return sharesKeys(model) ? 'Key/value heads' : 'Heads';
}
