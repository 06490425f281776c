import type { Walking } from '../walk.ts';
import { WORDS } from '../words.ts';
import { calibration } from './calibration.ts';
import { model } from './model.ts';
import { output } from './output.ts';
import { ratio } from './ratio.ts';
import { repair } from './repair.ts';
import { run } from './run.ts';
import { score } from './score.ts';
import { units } from './units.ts';

/** A step of the walk. */
export interface Step {
  title: string;
  /** Where it points: the first of these selectors that the page shows. */
  targets: readonly string[];
  /** What it says, with the numbers that are there. */
  draw: (walking: Walking) => Node[];
}

const { steps } = WORDS;

/** The walk, in order. */
export const STEPS: readonly [Step, ...Step[]] = [
  { title: steps.model.title, targets: ['#model'], draw: model },
  { title: steps.units.title, targets: ['#open-map', '#model'], draw: units },
  { title: steps.calibration.title, targets: ['#texts'], draw: calibration },
  { title: steps.run.title, targets: ['#run'], draw: run },
  { title: steps.score.title, targets: ['figure:has([data-testid="result-map"])', '#result'], draw: score },
  { title: steps.repair.title, targets: ['[data-testid="comparison"]', '#result'], draw: repair },
  { title: steps.ratio.title, targets: ['.slider:has(#ratio-slider)', '#recipe'], draw: ratio },
  { title: steps.output.title, targets: ['.downloads', '#result'], draw: output },
];
