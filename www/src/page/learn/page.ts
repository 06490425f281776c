import type { Recipe } from '../../lib/coppice.ts';
import type { Attempt, Subject } from '../attempts/attempt.ts';
import type { TextsStep } from '../texts.ts';

/** What the learning part knows of the page, and may do on it. */
export interface LearnPage {
  /** The model that is open. */
  subject: () => Subject | undefined;
  texts: Pick<TextsStep, 'calibrationName' | 'comparison' | 'calibration'>;
  /** Attempts on the model that is open, the newest first. */
  attempts: () => readonly Attempt[];
  /** Whether something runs. */
  busy: () => boolean;
  /** Shows an attempt in the section of results. */
  show: (attempt: Attempt) => void;
  /** Runs a recipe as the button of the page does; nothing comes back where it failed, which the page has told, or was cancelled. */
  run: (recipe: () => Recipe) => Promise<Attempt | undefined>;
}

export type ViewName = 'walk' | 'lab';
