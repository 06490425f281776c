import { sharesKeys } from '../kind.ts';
import type { Cell } from './cell.ts';
import { type Drawing, nameOfBin, outputOf } from './draw.ts';
import { placeOf } from './order.ts';
import type { LayerView, Units, View } from './view.ts';
import { WORDS } from './words.ts';

/** The numbers of a cell: a title and sentences. */
export function describe(cell: Cell, drawing: Drawing): { title: string; sentences: string[] } {
  const { view } = drawing;
  if (cell.kind === 'embedding') {
    const [kept, of] = [view.hidden.kept.size, view.hidden.of];
    const sentences = [
      WORDS.embeddingIs(view.model.vocabulary, kept),
      WORDS.channels(kept, of),
      WORDS.parameters(view.embedding),
    ];
    return { title: WORDS.embedding, sentences };
  }
  if (cell.kind === 'output') {
    return { title: WORDS.output, sentences: [outputOf(view), WORDS.restIs(view.rest)] };
  }
  const layer = view.layers[cell.layer];
  const name = WORDS.layer(cell.layer);
  if (!layer) return { title: name, sentences: [] };
  switch (cell.kind) {
    case 'layer':
      return { title: name, sentences: aboutLayer(layer, view) };
    case 'linear':
      return { title: `${name}, ${cell.title}`, sentences: [WORDS.linear(cell.linear)] };
    case 'heads': {
      const unit = sharesKeys(view.model) ? WORDS.group(cell.unit) : WORDS.unit('heads', cell.unit);
      return { title: `${name}, ${unit}`, sentences: aboutHead(cell.unit, layer.heads, drawing) };
    }
    case 'neurons': {
      const { units, ranks } = cell.bin;
      return { title: `${name}, ${nameOfBin(units, ranks)}`, sentences: aboutNeurons(units, layer.neurons, drawing) };
    }
  }
}

function aboutLayer({ removed, heads, neurons, parameters, flops, probes }: LayerView, view: View): string[] {
  const sentences: string[] = [];
  if (removed) sentences.push(`${WORDS.removedLayer}.`);
  sentences.push(WORDS.widths([heads.kept.size, heads.of], [neurons.kept.size, neurons.of], sharesKeys(view.model)));
  if (parameters) sentences.push(WORDS.parameters(parameters));
  if (flops) sentences.push(WORDS.flops(flops));
  else if (parameters && !view.result) sentences.push(WORDS.flopsOfMatrices(parameters.before));
  for (const [kind, { outcome }] of [
    ['heads', heads],
    ['neurons', neurons],
  ] as const) {
    if (outcome?.repair === undefined) continue;
    sentences.push(WORDS.repaired(kind, outcome.repair, outcome.error_without, outcome.error_with));
    if (outcome.fell_back_from === undefined || outcome.reason === undefined) continue;
    sentences.push(WORDS.fellBack(outcome.repair, outcome.fell_back_from, outcome.reason));
  }
  for (const { unit, kept, of, distance } of probes) sentences.push(WORDS.probe(unit, kept, of, distance));
  return sentences;
}

function aboutHead(unit: number, { kept, scores, close, changed, of }: Units, { view, scales }: Drawing): string[] {
  const sentences: string[] = [];
  if (view.result) sentences.push(`${kept.has(unit) ? WORDS.kept : WORDS.gone}.`);
  const score = scores?.[unit];
  if (scores && score !== undefined) {
    const place = placeOf(unit, scores);
    sentences.push(WORDS.score(score, place, of, scales.heads.rank(score), scales.heads.size));
  }
  if (close.has(unit)) sentences.push(WORDS.close);
  if (changed.has(unit)) sentences.push(WORDS.changed);
  return sentences;
}

function aboutNeurons(units: readonly number[], all: Units, { view }: Drawing): string[] {
  const { kept, scores, close, changed, of } = all;
  const among = (set: ReadonlySet<number>) => units.filter((unit) => set.has(unit)).length;
  const sentences: string[] = [];
  if (view.result) sentences.push(`${WORDS.keptOf(among(kept), units.length)}.`);
  if (scores && units.length > 0) {
    const values = units.map((unit) => scores[unit] ?? 0);
    const places = units.map((unit) => placeOf(unit, scores));
    const ranks = [Math.min(...places), Math.max(...places)] as const;
    sentences.push(WORDS.scores(Math.min(...values), Math.max(...values), ...ranks, of));
  }
  if (among(close) > 0) sentences.push(WORDS.closeUnits(among(close)));
  if (among(changed) > 0) sentences.push(WORDS.changedUnits(among(changed)));
  return sentences;
}
