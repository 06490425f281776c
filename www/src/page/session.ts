import { Coppice, type DeviceInfo, type DevicePreference, type StartOptions } from '../lib/coppice.ts';
import { showError } from './alert.ts';
import { byId, h } from './dom.ts';
import { WORDS as ALL } from './words.ts';

const { session: WORDS } = ALL;

/** The one engine of the page, restarted when the person asks for another device. */
export class Session {
  /** Called whenever an engine has started. */
  onStart: (coppice: Coppice) => void = () => undefined;
  /** Called when another device or memory is asked for. */
  onAsk: () => void = () => undefined;
  #current: Promise<Coppice> | undefined;
  readonly #select = byId('device') as HTMLSelectElement;
  readonly #memory = byId('memory') as HTMLSelectElement;

  constructor() {
    for (const select of [this.#select, this.#memory]) {
      select.addEventListener('change', () => {
        this.onAsk();
        void this.#restart();
      });
    }
  }

  /** The running engine; starts one if there is none. */
  async engine(): Promise<Coppice> {
    const starting = (this.#current ??= Coppice.start(this.#options()));
    try {
      return await starting;
    } catch (error) {
      if (this.#current === starting) this.#current = undefined;
      throw error;
    }
  }

  /** What is asked for: a device, and GiB of memory where that is said. */
  get asked(): { device: string; memory: string } {
    return { device: this.#select.value, memory: this.#memory.value };
  }

  /** Asks for a device, and starts its engine where another one runs; whether the menus offer it. */
  ask({ device, memory }: { device: string; memory: string }): boolean {
    const wanted = [
      [this.#select, device],
      [this.#memory, memory],
    ] as const;
    if (!wanted.every(([select, value]) => [...select.options].some((option) => option.value === value))) return false;
    const changed = wanted.some(([select, value]) => select.value !== value);
    for (const [select, value] of wanted) select.value = value;
    if (changed) this.onAsk();
    if (changed && this.#current) void this.#restart();
    return true;
  }

  /** Starts the engine now, so that the device is known before the first run. */
  async start(): Promise<void> {
    setDevice(WORDS.starting, WORDS.looking);
    try {
      const coppice = await this.engine();
      this.show(coppice.device);
      this.onStart(coppice);
    } catch (error) {
      setDevice(WORDS.none, WORDS.nothingRuns);
      showError(error);
    }
  }

  /** While a run is under way the device cannot change. */
  set busy(busy: boolean) {
    this.#select.disabled = busy;
    this.#memory.disabled = busy;
  }

  show(device: DeviceInfo): void {
    const kind = device.kind === 'gpu' ? 'GPU' : 'CPU';
    const why = device.why.charAt(0).toUpperCase() + device.why.slice(1).replace(/\.?$/, '.');
    setDevice(
      `${kind} · ${device.name}`,
      `${kind}: ${device.name} (${device.backend}).`,
      // The core says why, in English.
      h('span', { lang: 'en' }, why),
      device.software ? WORDS.software : '',
    );
  }

  #options(): StartOptions {
    const gibibytes = Number(this.#memory.value);
    return {
      device: this.#select.value as DevicePreference,
      ...(gibibytes > 0 && { memory: gibibytes * 2 ** 30 }),
    };
  }

  async #restart(): Promise<void> {
    const previous = this.#current;
    this.#current = undefined;
    await previous?.then(
      (coppice) => {
        coppice.close();
      },
      () => undefined,
    );
    await this.start();
  }
}

function setDevice(chip: string, ...sentences: (string | Node)[]): void {
  for (const element of document.querySelectorAll('[data-testid="device-chip"]')) element.textContent = chip;
  const said = sentences.filter((sentence) => sentence !== '').flatMap((sentence) => [' ', sentence]);
  byId('device-info').replaceChildren(...said.slice(1));
}
