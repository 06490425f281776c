import type { Exercise } from '../exercise.ts';
import type { ExerciseName } from '../words.ts';
import { heads } from './heads.ts';
import { layers } from './layers.ts';
import { ratio } from './ratio.ts';
import { repair } from './repair.ts';
import { size } from './size.ts';
import { speed } from './speed.ts';

/** The exercises, in order. */
export const EXERCISES: Record<ExerciseName, Exercise> = { size, layers, repair, ratio, heads, speed };
