import type { Inspection, Measure, PruneResult } from '../../lib/coppice.ts';
import { parameters, shapeOf } from '../map/shape.ts';

/** Parameters that one unit of a model has, where its headers tell. */
export interface UnitSizes {
  head: number;
  neuron: number;
  /** Share of the layers' linear parameters that all neurons have together. */
  neurons: number;
}

export function unitSizes(inspection: Inspection): UnitSizes | undefined {
  const shape = shapeOf(inspection);
  if (!shape) return undefined;
  const of = (heads: number, neurons: number) => parameters(shape, heads, neurons).both;
  const neuron = of(1, 2) - of(1, 1);
  const all = inspection.layers.reduce((sum, { neurons }) => sum + neurons * neuron, 0);
  return { head: of(2, 1) - of(1, 1), neuron, neurons: all / inspection.linear_parameters };
}

/** The number that says how near a model is to the dense one, the smaller the nearer. */
export function divergence(measure: Measure | undefined): number | undefined {
  if (!measure) return undefined;
  return measure.task === 'features' ? measure.distance : measure.kl;
}

/** Scores of one layer's neurons, and what the plan made of them. */
export interface LayerScores {
  layer: number;
  /** Units from the highest score to the lowest. */
  order: { unit: number; score: number; kept: boolean }[];
}

/** Layers of which a result has scores of neurons, where some went. */
export function scoredLayers({ report, plan }: PruneResult): LayerScores[] {
  return (report.scores ?? []).flatMap(({ neurons: scores }, layer) => {
    const kept = new Set(plan.layers[layer]?.neurons);
    if (!scores || kept.size === scores.length) return [];
    const order = scores.map((score, unit) => ({ unit, score, kept: kept.has(unit) }));
    return [{ layer, order: order.sort((a, b) => b.score - a.score || a.unit - b.unit) }];
  });
}

/** Errors of the FFN by layer, without and with the repair, where both were measured. */
export function ffnErrors({ report }: PruneResult): { layer: number; without: number; after: number }[] {
  return report.layers.flatMap(({ neurons: { error_without: without, error_with: after } }, layer) =>
    without === undefined || after === undefined ? [] : [{ layer, without, after }],
  );
}

/** Fields of config.json that differ between two folders, by name. */
export async function changedConfig(
  before: readonly (Blob & { readonly name: string })[],
  after: readonly (Blob & { readonly name: string })[],
): Promise<[name: string, before: unknown, after: unknown][]> {
  const read = async (files: readonly (Blob & { readonly name: string })[]) => {
    const text = await files.find(({ name }) => name === 'config.json')?.text();
    return JSON.parse(text ?? '{}') as Record<string, unknown>;
  };
  const [old, now] = [await read(before), await read(after)];
  return [...new Set([...Object.keys(old), ...Object.keys(now)])]
    .filter((name) => JSON.stringify(old[name]) !== JSON.stringify(now[name]))
    .map((name) => [name, old[name], now[name]]);
}

/** The first words of a text, one line of it, without the label that it may end with. */
export async function excerptOf(text: Blob): Promise<string> {
  const start = await text.slice(0, 4096).text();
  // Labelled files may begin with the names of their columns.
  const lines = start.split('\n').filter((line) => line.trim() !== '' && !line.startsWith('sentence\t'));
  const [sentence = ''] = (lines[0] ?? '').split('\t');
  return sentence.length > 180 ? `${sentence.slice(0, 180).trimEnd()}…` : sentence.trim();
}
