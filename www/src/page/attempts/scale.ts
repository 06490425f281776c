import { nice, ticks } from 'd3-array';

/** From values to places along an axis, with round values to mark. */
export interface Scale {
  ticks: number[];
  place: (value: number) => number;
}

/** A linear scale over `values`, widened to round ones, from place `start` to place `end`; `least`, where given, is in it. */
export function scaleOver(values: readonly number[], start: number, end: number, count: number, least?: number): Scale {
  const all = least === undefined ? values : [...values, least];
  let [low, high] = [Math.min(...all), Math.max(...all)];
  if (!(low < high)) {
    // One value alone: it gets the middle.
    const around = Math.abs(low) * 0.1 || 1;
    [low, high] = [low - around, high + around];
  }
  [low, high] = nice(low, high, count);
  return {
    ticks: ticks(low, high, count),
    place: (value) => start + ((value - low) / (high - low)) * (end - start),
  };
}
