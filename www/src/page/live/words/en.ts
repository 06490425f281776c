import type { Phase } from '../../../lib/coppice.ts';
import { bytes, duration, fixed } from '../../format.ts';

/** Everything that the live part of the page says. */
export const WORDS = {
  phases: {
    open: 'Open',
    evaluate_dense: 'Measure before',
    calibrate: 'Calibrate',
    score: 'Score',
    reconstruct: 'Reconstruct',
    export: 'Lay out files',
    evaluate_pruned: 'Measure after',
  } satisfies Record<Phase, string>,
  starting: 'Starting',
  layer: (title: string, layer: number, layers: number) => `${title}, layer ${layer} of ${layers}`,
  leftInStep: (seconds: number) => `about ${duration(seconds)} left in this step`,
  leftInAll: (seconds: number) => `about ${duration(seconds)}`,
  unknown: 'not known yet',
  soFar: (seconds: number) => `${duration(seconds)} so far`,
  pause: 'Pause',
  resume: 'Go on',
  paused: 'Paused: the device is idle, and what the run keeps there stays.',
  resumed: 'It goes on.',
  pausedFor: (seconds: number) => `paused for ${duration(seconds)}`,

  gauges: {
    left: 'Left in all',
    rate: 'Layers',
    device: 'Device',
    memory: 'On the device now',
    heap: 'Program’s memory',
  },
  /** Layers a second, or seconds a layer where that is the larger number. */
  rate: (layers: number) => (layers >= 1 ? `${fixed(layers, 1)} a second` : `${fixed(1 / layers, 1)}\u00a0s each`),
  memory: (live: number, peak: number) => `${bytes(live)}, at most ${bytes(peak)}`,
  heap: (size: number) => bytes(size),

  running: 'How the run goes',
  ended: 'How the last run went',
  perLayer: 'Seconds a layer',
  share: 'Share of each step that is done',
  device: 'Memory on the device',
  most: (size: string) => `at most ${size}`,
  bar: (layer: number, seconds: number) => `Layer ${layer}: ${fixed(seconds, 2)}\u00a0s`,
  seconds: (seconds: number) => `${seconds < 10 ? fixed(seconds, 2) : fixed(seconds, 0)}\u00a0s`,
  table: 'The same as a table',
  tableCaption: 'Seconds of each step and layer, share and memory',
  column: 'Layer',
  whole: 'Whole step',
  done: 'Share that is done',
  none: '–',
};
