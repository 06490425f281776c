import type { Kind, LayerView, Units, View } from './view.ts';

/** Steps of the colour scale; the style sheet has as many colours. */
export const STEPS = 7;

/** Cells that a dense layer's neurons are drawn as, at most. */
const CELLS = 48;

/** A cell of a strip: some neighbouring units of an order. */
export interface Bin {
  units: readonly number[];
  /** Places in the order of scores, from 1; absent where units are in the file's order. */
  ranks: [number, number] | undefined;
}

/** Units by score, and the place of each of them in that order, from 1. */
interface Ranking {
  order: readonly number[];
  places: readonly number[];
}

/** A map is drawn anew with every change, and its scores stay the same: large layers are sorted once. */
const RANKINGS = new WeakMap<readonly number[], Ranking>();

function ranking(scores: readonly number[]): Ranking {
  const known = RANKINGS.get(scores);
  if (known) return known;
  const order = Array.from(scores.keys()).sort((a, b) => (scores[b] ?? 0) - (scores[a] ?? 0) || a - b);
  const places = Array<number>(order.length).fill(0);
  order.forEach((unit, place) => (places[unit] = place + 1));
  const made = { order, places };
  RANKINGS.set(scores, made);
  return made;
}

/** Units by score, best first; units of the same score by number. */
export function byScore(scores: readonly number[]): readonly number[] {
  return ranking(scores).order;
}

/** The place of a unit in the order of a layer's scores, 1 for the best. */
export function placeOf(unit: number, scores: readonly number[]): number {
  return ranking(scores).places[unit] ?? 1;
}

/** A layer's units as cells of about equally many, of all units or of the kept ones alone; sorted by score where there are scores. */
export function binsOf({ of, kept, scores }: Units, keptOnly: boolean): Bin[] {
  const order = scores ? byScore(scores) : Array.from({ length: of }, (_, unit) => unit);
  const shown = keptOnly ? order.filter((unit) => kept.has(unit)) : order;
  const most = Math.min(CELLS, of);
  // As many units in a cell of what is left as in one of all of them, so that the scale is the same.
  const cells = keptOnly ? Math.ceil((most * shown.length) / Math.max(of, 1)) : most;
  return Array.from({ length: cells }, (_, cell) => {
    const units = shown.slice((cell * shown.length) / cells, ((cell + 1) * shown.length) / cells);
    const [first, last] = [units[0] ?? 0, units.at(-1) ?? 0];
    return { units, ranks: scores && [placeOf(first, scores), placeOf(last, scores)] };
  });
}

/** Where scores of one kind lie among those of the whole model. */
export class Scale {
  readonly #sorted: readonly number[];

  constructor(view: View, kind: Kind) {
    this.#sorted = view.layers.flatMap((layer) => layer[kind].scores ?? []).sort((a, b) => a - b);
  }

  /** Units that were scored. */
  get size(): number {
    return this.#sorted.length;
  }

  /** Place of a score among all of them, 1 for the highest. */
  rank(score: number): number {
    return this.size - this.#below(score, true) + 1;
  }

  /** Step of the colour scale: equal shares of all units have each of them. */
  step(score: number): number {
    const share = (this.#below(score, false) + this.#below(score, true) - 1) / 2 / Math.max(this.size, 1);
    return Math.max(0, Math.min(STEPS - 1, Math.floor(share * STEPS)));
  }

  /** Scores below this one, or up to and including it. */
  #below(score: number, including: boolean): number {
    let [low, high] = [0, this.size];
    while (low < high) {
      const middle = (low + high) >> 1;
      const value = this.#sorted[middle] ?? 0;
      if (value < score || (including && value === score)) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

/** The mean of some scores. */
export function mean(units: readonly number[], scores: readonly number[]): number {
  return units.reduce((sum, unit) => sum + (scores[unit] ?? 0), 0) / Math.max(units.length, 1);
}

/** The widest layer's units of a kind, which every row's width refers to. */
export function widest(layers: readonly LayerView[], kind: Kind): number {
  return Math.max(1, ...layers.map((layer) => layer[kind].of));
}
