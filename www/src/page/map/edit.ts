import type { Inspection, Plan } from '../../lib/types.ts';
import { byScore } from './order.ts';
import type { Kind, Scores } from './view.ts';

/** A plan that a person changes by hand, beside the one that a run made. */
export class EditedPlan {
  readonly made: Plan;
  #now: Plan;
  readonly #model: Inspection;
  readonly #scores: Scores | undefined;

  constructor(model: Inspection, made: Plan, scores: Scores | undefined) {
    this.made = made;
    this.#now = structuredClone(made);
    this.#model = model;
    this.#scores = scores;
  }

  get plan(): Plan {
    return this.#now;
  }

  get changed(): boolean {
    return JSON.stringify(this.#now) !== JSON.stringify(this.made);
  }

  undo(): void {
    this.#now = structuredClone(this.made);
  }

  /** Keeps or cuts one unit; false where it is the layer's last, without which the layer could not run. */
  toggle(layer: number, kind: Kind, unit: number): boolean {
    const kept = this.#now.layers[layer]?.[kind] ?? [];
    const without = kept.filter((other) => other !== unit);
    if (without.length === kept.length) this.#keep(layer, kind, [...kept, unit]);
    else if (without.length === 0) return false;
    else this.#keep(layer, kind, without);
    return true;
  }

  /** Whether the layer's units were scored, so that there are best ones. */
  scored(layer: number, kind: Kind): boolean {
    return this.#scores?.[layer]?.[kind] !== undefined;
  }

  /** Keeps the best-scored units of a layer, at least one. */
  keepBest(layer: number, kind: Kind, count: number): void {
    const scores = this.#scores?.[layer]?.[kind];
    if (!scores) return;
    const most = Math.max(1, Math.min(Math.round(count), scores.length));
    this.#keep(layer, kind, byScore(scores).slice(0, most));
  }

  /** Cuts a whole layer, or keeps it again as the run left it; false where it is the last one. */
  toggleLayer(layer: number): boolean {
    const now = this.#now.layers[layer];
    if (!now) return false;
    if (now.heads.length + now.neurons.length > 0) {
      const others = this.#now.layers.filter((_, index) => index !== layer);
      if (others.every(({ heads, neurons }) => heads.length + neurons.length === 0)) return false;
      this.#now.layers[layer] = { heads: [], neurons: [] };
    } else {
      const made = this.made.layers[layer];
      const gone = !made || made.heads.length + made.neurons.length === 0;
      this.#now.layers[layer] = gone ? this.#whole(layer) : structuredClone(made);
    }
    return true;
  }

  /** A unit of a layer that was cut whole brings the layer back with it. */
  #keep(layer: number, kind: Kind, units: number[]): void {
    const now = this.#now.layers[layer];
    if (!now) return;
    if (now.heads.length + now.neurons.length === 0) Object.assign(now, this.#whole(layer));
    now[kind] = units.toSorted((a, b) => a - b);
  }

  #whole(layer: number): { heads: number[]; neurons: number[] } {
    const all = (of: number) => Array.from({ length: of }, (_, unit) => unit);
    const { heads, neurons } = this.#model.layers[layer] ?? { heads: 0, neurons: 0 };
    return { heads: all(heads), neurons: all(neurons) };
  }
}
