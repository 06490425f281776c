import { bytes, fixed, GAP, rounded } from '../../format.ts';

const share = (part: number) => `${rounded(100 * part, 1)}${GAP}%`;
/** Seconds of runs that take few of them. */
const seconds = (value: number) => `${fixed(value, value < 1 ? 2 : 1)}${GAP}s`;

/** What the page says of statistics that are kept, and of trying another ratio with them. */
export const WORDS = {
  kept: (held: number) => `Statistics of the last run are used as far as they go; ${bytes(held)} are kept.`,
  keptOfOther: (held: number) =>
    `Statistics of a run with other settings of calibration or comparison are kept until the next run: ${bytes(held)}.`,
  release: 'Let go of them',

  title: 'Try another ratio',
  ratio: "Share of the layers' parameters to remove",
  number: 'Another ratio in percent',
  hint: 'Makes a new plan, a plain repair and a new map with the statistics of the last run; nothing is measured until you ask for it.',
  measure: 'Measure it',
  refine: 'Refine with error-aware repair',
  stop: 'Stop',
  starting: 'Starting…',
  wrong: 'The ratio to try must be a number from 0 to below 95 percent; type another one, or move the slider.',
  otherTexts:
    'The statistics of this attempt are gone, and the texts in step 2 are not those that it was made with; choose them again, or start a run in step 4.',
  cancelled: 'Stopped; the attempt that is shown stays as it was.',
  tried: (part: number, took: number, anew: boolean) =>
    anew
      ? `${share(part)}: new plan, repair and map in ${seconds(took)}, with statistics that had to be collected first.`
      : `${share(part)}: new plan, repair and map in ${seconds(took)}.`,
  refined: (part: number, took: number) => `${share(part)} with error-aware repair in ${seconds(took)}.`,
  measured: (took: number) => `Measured in ${seconds(took)}.`,
  unmeasured: 'How good it is, is not measured yet.',
};
