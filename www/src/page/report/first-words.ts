import { wordsOf } from '../catalogue.ts';
import { FIRST_WORDS as ENGLISH } from './first-words/en.ts';

export const FIRST_WORDS = wordsOf('firstReport', ENGLISH);
