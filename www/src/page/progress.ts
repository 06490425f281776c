import type { Phase, Progress } from '../lib/coppice.ts';
import { byId, h } from './dom.ts';
import { duration } from './format.ts';

const PHASES: [Phase, string][] = [
  ['open', 'Open'],
  ['evaluate_dense', 'Measure before'],
  ['calibrate', 'Calibrate'],
  ['score', 'Score'],
  ['reconstruct', 'Reconstruct'],
  ['export', 'Lay out files'],
  ['evaluate_pruned', 'Measure after'],
];

/** Shows where a run is: phase, layer, and how long this phase will still take at the rate so far. */
export class ProgressView {
  readonly #root = byId('progress');
  readonly #bar = byId('bar') as HTMLProgressElement;
  #phase: Phase | undefined;
  /** A run lays files out twice: to measure them, and with the report. */
  readonly #visited = new Set<Phase>();
  #phaseStart = 0;
  #start = 0;
  #clock: ReturnType<typeof setInterval> | undefined;

  begin(): void {
    this.#phase = undefined;
    this.#visited.clear();
    this.#start = performance.now();
    this.#root.hidden = false;
    this.#bar.value = 0;
    byId('phases').replaceChildren(...PHASES.map(([phase, title]) => h('li', { 'data-phase': phase }, title)));
    byId('now').textContent = 'Starting';
    byId('left').textContent = '';
    byId('elapsed').textContent = '';
    this.#clock = setInterval(() => {
      byId('elapsed').textContent = `${duration((performance.now() - this.#start) / 1000)} so far`;
    }, 1000);
  }

  update({ phase, layer, layers, fraction }: Progress): void {
    if (phase !== this.#phase) this.#enter(phase);
    const title = PHASES.find(([name]) => name === phase)?.[1] ?? phase;
    const where = typeof layer === 'number' ? `, layer ${layer + 1} of ${layers}` : '';
    this.#bar.value = fraction;
    byId('now').textContent = title + where;
    const spent = (performance.now() - this.#phaseStart) / 1000;
    // The first moments of a phase say little about its rate.
    const known = spent > 1 && fraction > 0.02 && fraction < 1;
    byId('left').textContent = known ? `about ${duration((spent * (1 - fraction)) / fraction)} left in this step` : '';
  }

  end(): void {
    clearInterval(this.#clock);
    this.#root.hidden = true;
  }

  #enter(phase: Phase): void {
    this.#phase = phase;
    this.#phaseStart = performance.now();
    this.#visited.add(phase);
    for (const item of byId('phases').children) {
      const name = item.getAttribute('data-phase') as Phase;
      const current = name === phase;
      item.className = current ? 'current' : this.#visited.has(name) ? 'done' : '';
      if (current) item.setAttribute('aria-current', 'step');
      else item.removeAttribute('aria-current');
    }
    byId('status').textContent = PHASES.find(([name]) => name === phase)?.[1] ?? phase;
  }
}
