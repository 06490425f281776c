import type { Phase, Progress } from '../../lib/coppice.ts';

/** A moment of a run: seconds since its start without pauses, how far its phase was, and bytes on the device. */
export interface Sample {
  at: number;
  phase: Phase;
  fraction: number;
  bytes: number | undefined;
}

/** A phase as it went so far. */
export interface Stage {
  phase: Phase;
  /** Seconds of its layers; a phase that comes by a layer twice adds up. */
  layers: number[];
  seconds: number;
  fraction: number;
  /** When it was entered last, in seconds since the start. */
  since: number;
  /** Most bytes on the device in it. */
  peak: number;
}

/** So many samples are kept at most: of a run of hours, every second one goes, again and again. */
const MOST = 600;
/** Seconds between two samples, at first. */
const STEP = 0.05;

/** What is known of a run from its progress messages. */
export class Timeline {
  readonly stages: Stage[] = [];
  samples: Sample[] = [];
  /** Most bytes on the device so far. */
  peak = 0;
  readonly #now: () => number;
  readonly #start: number;
  /** When the pause under way began, and the seconds of those before it. */
  #pausedAt: number | undefined;
  #paused = 0;
  #step = STEP;
  #last = 0;
  #layer: number | undefined;

  /** `now` gives seconds of any clock that never goes back. */
  constructor(now: () => number = () => performance.now() / 1000) {
    this.#now = now;
    this.#start = now();
  }

  /** Seconds of the run without its pauses. */
  get elapsed(): number {
    return (this.#pausedAt ?? this.#now()) - this.#start - this.#paused;
  }

  /** Seconds of all pauses. */
  get paused(): number {
    return this.#paused + (this.#pausedAt === undefined ? 0 : this.#now() - this.#pausedAt);
  }

  /** The phase that is under way. */
  get stage(): Stage | undefined {
    return this.stages.at(-1);
  }

  pause(): void {
    this.#pausedAt ??= this.#now();
  }

  resume(): void {
    if (this.#pausedAt !== undefined) this.#paused += this.#now() - this.#pausedAt;
    this.#pausedAt = undefined;
  }

  /** Takes a progress message. */
  add({ phase, layer, fraction, device_bytes: bytes }: Progress): void {
    const at = this.elapsed;
    this.#spend(at - this.#last);
    this.#last = at;
    const entered = this.stage?.phase !== phase;
    if (entered) {
      // Files are laid out twice, to measure them and with the report: that is one phase with two stretches.
      const before = this.stages.findIndex((stage) => stage.phase === phase);
      const [stage] = before < 0 ? [] : this.stages.splice(before, 1);
      this.stages.push({ ...(stage ?? { phase, layers: [], seconds: 0, peak: 0 }), fraction, since: at });
    }
    if (this.stage) {
      this.stage.fraction = fraction;
      this.stage.peak = Math.max(this.stage.peak, bytes ?? 0);
    }
    this.#layer = layer ?? undefined;
    this.peak = Math.max(this.peak, bytes ?? 0);
    const sample = { at, phase, fraction, bytes };
    if (entered || at - (this.samples.at(-1)?.at ?? -Infinity) >= this.#step) this.samples.push(sample);
    if (this.samples.length > MOST) {
      this.samples = this.samples.filter((one, index, all) => index % 2 === 0 || all[index - 1]?.phase !== one.phase);
      this.#step *= 2;
    }
  }

  /** Gives seconds to the phase and layer that they were spent on. */
  #spend(seconds: number): void {
    if (!this.stage) return;
    this.stage.seconds += seconds;
    if (this.#layer === undefined) return;
    this.stage.layers[this.#layer] = (this.stage.layers[this.#layer] ?? 0) + seconds;
  }
}

/** Layers a second of a phase, as far as it is; nothing where it has none. */
export function layersASecond({ layers, seconds, fraction }: Stage, depth: number): number | undefined {
  return layers.length > 0 && seconds > 0 && fraction > 0 ? (fraction * depth) / seconds : undefined;
}
