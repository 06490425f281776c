import { wordsOf } from '../../catalogue.ts';
import { LAB as ENGLISH } from './words/en.ts';

export type { Asked, ExerciseName, Sheet } from './words/en.ts';

export const LAB = wordsOf('lab', ENGLISH);
