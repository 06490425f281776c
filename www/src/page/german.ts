/** Everything that the page says, in German; loaded only where it is spoken. */
import { WORDS as again } from './again/words/de.ts';
import { WORDS as attempts } from './attempts/words/de.ts';
import { TEXTS as html } from './html/words/de.ts';
import { LAB as lab } from './learn/lab/words/de.ts';
import { FIRST_WORDS as firstLearn } from './learn/first-words/de.ts';
import { WORDS as learn } from './learn/words/de.ts';
import { WORDS as link } from './link/words/de.ts';
import { WORDS as live } from './live/words/de.ts';
import { WORDS as map } from './map/words/de.ts';
import { CHOICES as menus } from './menus/words/de.ts';
import { WORDS as recipe } from './recipe/words/de.ts';
import { FIRST_WORDS as firstReport } from './report/first-words/de.ts';
import { WORDS as report } from './report/words/de.ts';
import { WORDS as side } from './side/words/de.ts';
import { WORDS as storage } from './storage/words/de.ts';
import { WORDS as steps } from './words/de.ts';

export const GERMAN = {
  again,
  attempts,
  firstLearn,
  firstReport,
  html,
  lab,
  learn,
  link,
  live,
  map,
  menus,
  recipe,
  report,
  side,
  steps,
  storage,
};
