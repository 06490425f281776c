import type { Coppice, NamedBlob, Progress, TextSource } from '../../lib/coppice.ts';
import { WORDS } from './words.ts';

/** What a classifier makes of a sentence: the probability of each class. */
export type Classes = readonly number[];

/** Probabilities of each labelled line's classes; at most `limit` lines. */
export async function classesOf(
  coppice: Coppice,
  files: readonly NamedBlob[],
  data: TextSource,
  limit: number | undefined,
  signal: AbortSignal,
  onProgress?: (progress: Progress) => void,
): Promise<Classes[]> {
  const { values, width } = await coppice.evaluate(files, { task: 'classify', data, limit, signal, onProgress });
  return Array.from({ length: values.length / width }, (_, row) =>
    softmax(values.subarray(row * width, (row + 1) * width)),
  );
}

function softmax(logits: Float32Array): number[] {
  const top = Math.max(...logits);
  const powers = Array.from(logits, (logit) => Math.exp(logit - top));
  const sum = powers.reduce((total, power) => total + power, 0);
  return powers.map((power) => power / sum);
}

/** The most probable class. */
export function argmax(classes: Classes): number {
  return classes.indexOf(Math.max(...classes));
}

/** What a class is called. */
export function labelOf(labels: readonly string[], index: number): string {
  return labels[index] ?? WORDS.class(index);
}

/** The sentences and labels of labelled lines, as the core reads them (src/text/labelled.rs). */
export function labelledLines(text: string, labels: readonly string[]): { sentence: string; label: number }[] {
  const lines = text
    .replace(/^\ufeff/, '')
    .split('\n')
    .map((line) => line.replace(/\r$/, ''))
    .filter((line) => line.trim() !== '');
  const cut = lines.map((line) => {
    const tab = line.lastIndexOf('\t');
    return { sentence: line.slice(0, Math.max(tab, 0)), label: line.slice(tab + 1).trim() };
  });
  const header = cut[0]?.sentence === 'sentence' && cut[0].label === 'label';
  const lower = labels.map((label) => label.toLowerCase());
  return cut.slice(header ? 1 : 0).map(({ sentence, label }) => {
    if (/^\d+$/.test(label)) return { sentence, label: Number(label) };
    const exact = labels.indexOf(label);
    return { sentence, label: exact >= 0 ? exact : lower.indexOf(label.toLowerCase()) };
  });
}
