import { wordsOf } from '../catalogue.ts';
import { WORDS as ENGLISH } from './words/en.ts';

export const WORDS = wordsOf('again', ENGLISH);
