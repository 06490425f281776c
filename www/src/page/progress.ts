import type { DeviceInfo, Estimate, Phase, Progress } from '../lib/coppice.ts';
import { nameOfDevice } from './attempts/attempt.ts';
import { byId, h } from './dom.ts';
import { drawTimeline, tableOfTimeline } from './live/charts.ts';
import { leftInAll, leftInStep } from './live/left.ts';
import { PHASES } from './live/phases.ts';
import { layersASecond, Timeline } from './live/timeline.ts';
import { WORDS } from './live/words.ts';

/** How often the figures and charts are brought up to date, in milliseconds; messages may come by the thousand. */
const TURN_MS = 250;

/** Shows how a run goes: phase, layer, time left, rate, memory and device; and charts that grow with it. */
export class ProgressView {
  /** Called with whether the run is to wait. */
  onPause: (paused: boolean) => void = () => undefined;
  readonly #root = byId('progress');
  readonly #bar = byId('bar') as HTMLProgressElement;
  readonly #pause = byId('pause') as HTMLButtonElement;
  readonly #details = byId('timeline') as HTMLDetailsElement;
  #timeline = new Timeline();
  #last: Progress | undefined;
  #steps: Estimate['steps'];
  #device: DeviceInfo | undefined;
  #clock: ReturnType<typeof setInterval> | undefined;
  #paused = false;

  constructor() {
    this.#pause.addEventListener('click', () => {
      this.#hold(!this.#paused);
    });
  }

  /** The device that the run takes. */
  set device(device: DeviceInfo) {
    this.#device = device;
  }

  /** A run begins, with what was estimated of its steps. */
  begin(steps: Estimate['steps']): void {
    this.#timeline = new Timeline();
    this.#last = undefined;
    this.#steps = steps;
    this.#root.hidden = this.#pause.hidden = this.#details.hidden = false;
    this.#details.open = true;
    byId('timeline-title').textContent = WORDS.running;
    this.#bar.value = 0;
    byId('phases').replaceChildren(...PHASES.map((phase) => h('li', { 'data-phase': phase }, WORDS.phases[phase])));
    byId('now').textContent = WORDS.starting;
    byId('left').textContent = byId('elapsed').textContent = '';
    this.#paused = false;
    this.#pause.textContent = WORDS.pause;
    this.#refresh();
    this.#clock = setInterval(() => {
      this.#refresh();
    }, TURN_MS);
  }

  update(progress: Progress): void {
    const { phase, layer, layers, fraction } = progress;
    const before = this.#timeline.stage?.phase;
    this.#timeline.add(progress);
    this.#last = progress;
    if (phase !== before) this.#enter(phase);
    const title = WORDS.phases[phase];
    this.#bar.value = fraction;
    byId('now').textContent = typeof layer === 'number' ? WORDS.layer(title, layer + 1, layers) : title;
  }

  end(): void {
    clearInterval(this.#clock);
    this.#timeline.resume();
    this.#details.open = true;
    this.#refresh();
    this.#root.classList.remove('paused');
    this.#root.hidden = this.#pause.hidden = true;
    // The charts stay, folded: how long which layer took is worth a look afterwards.
    this.#details.hidden = this.#timeline.stages.length === 0;
    this.#details.open = false;
    byId('timeline-title').textContent = WORDS.ended;
  }

  #hold(paused: boolean): void {
    this.#paused = paused;
    if (paused) this.#timeline.pause();
    else this.#timeline.resume();
    this.#pause.textContent = paused ? WORDS.resume : WORDS.pause;
    this.#root.classList.toggle('paused', paused);
    byId('status').textContent = paused ? WORDS.paused : WORDS.resumed;
    this.#refresh();
    this.onPause(paused);
  }

  #refresh(): void {
    const timeline = this.#timeline;
    const { stage, elapsed, paused } = timeline;
    const step = leftInStep(timeline);
    byId('left').textContent = this.#paused ? WORDS.paused : step === undefined ? '' : WORDS.leftInStep(step);
    const soFar = [WORDS.soFar(elapsed), paused >= 1 ? WORDS.pausedFor(paused) : ''];
    byId('elapsed').textContent = soFar.filter((part) => part !== '').join(', ');
    const left = leftInAll(timeline, this.#steps);
    const rate = stage && layersASecond(stage, this.#last?.layers ?? 0);
    const { device_bytes: live, heap_bytes: heap } = this.#last ?? {};
    const gauges: [keyof typeof WORDS.gauges, string | undefined][] = [
      ['left', left === undefined ? WORDS.unknown : WORDS.leftInAll(left)],
      ['rate', rate === undefined ? undefined : WORDS.rate(rate)],
      ['memory', live === undefined ? undefined : WORDS.memory(live, timeline.peak)],
      ['heap', typeof heap === 'number' ? WORDS.heap(heap) : undefined],
      ['device', this.#device && nameOfDevice(this.#device)],
    ];
    byId('gauges').replaceChildren(
      ...gauges.map(([name, value]) =>
        h('div', {}, h('dt', {}, WORDS.gauges[name]), h('dd', { 'data-testid': `gauge-${name}` }, value ?? WORDS.none)),
      ),
    );
    if (!this.#details.open) return;
    byId('timeline-charts').replaceChildren(...drawTimeline(timeline));
    byId('timeline-table').replaceChildren(tableOfTimeline(timeline));
  }

  #enter(phase: Phase): void {
    const visited = new Set(this.#timeline.stages.map((stage) => stage.phase));
    for (const item of byId('phases').children) {
      const name = item.getAttribute('data-phase') as Phase;
      const current = name === phase;
      item.className = current ? 'current' : visited.has(name) ? 'done' : '';
      if (current) item.setAttribute('aria-current', 'step');
      else item.removeAttribute('aria-current');
    }
    byId('status').textContent = WORDS.phases[phase];
  }
}
