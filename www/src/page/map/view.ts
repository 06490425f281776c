import type { Inspection, LinearOutcome, Plan, PruneResult, Report, UnitOutcome } from '../../lib/types.ts';
import { flops, parameters, type Shape, shapeOf, tokensSeen } from './shape.ts';

/** The kinds of units that a layer is drawn with. */
export type Kind = 'heads' | 'neurons';

/** Units of one kind in one layer. */
export interface Units {
  of: number;
  kept: ReadonlySet<number>;
  /** One a unit, the larger the more it matters; absent where nothing scored them. */
  scores: readonly number[] | undefined;
  /** Units that another device might have decided otherwise. */
  close: ReadonlySet<number>;
  /** Units that were decided otherwise by hand. */
  changed: ReadonlySet<number>;
  /** How well the layer that reads them was repaired. */
  outcome: UnitOutcome | undefined;
}

/** A figure of the dense model and of what is left of it. */
export interface Change {
  before: number;
  after: number;
}

/** One layer as it is drawn. */
export interface LayerView {
  index: number;
  /** Whether the whole layer goes. */
  removed: boolean;
  heads: Units;
  neurons: Units;
  /** Linear layers one by one, where single weights or ranks went. */
  linears: LinearOutcome[];
  parameters: Change | undefined;
  /** A token's; absent before a run, since it takes the length of the texts. */
  flops: Change | undefined;
  /** How far answers moved when the layer was pruned alone. */
  probes: NonNullable<Report['probes']>;
}

/** Everything that a map draws. */
export interface View {
  model: Inspection;
  shape: Shape | undefined;
  layers: LayerView[];
  /** Channels of the residual stream that stay. */
  hidden: { kept: ReadonlySet<number>; of: number };
  /** Parameters outside of the blocks: the token table, and all the rest with the head. */
  embedding: Change;
  rest: Change;
  result: PruneResult | undefined;
}

export type Scores = NonNullable<Report['scores']>;

/** The model as it was opened: everything stays. */
export function viewOfModel(model: Inspection): View {
  return assemble(model, keepAll(model), undefined, undefined, undefined);
}

/** A run's result; `plan` is the one on show, changed by hand or not. */
export function viewOfResult(model: Inspection, result: PruneResult, plan: Plan, scores: Scores | undefined): View {
  return assemble(model, plan, result, result.plan, result.report.scores ?? scores);
}

function keepAll({ layers }: Inspection): Plan {
  const all = (of: number) => Array.from({ length: of }, (_, unit) => unit);
  return { version: 1, layers: layers.map(({ heads, neurons }) => ({ heads: all(heads), neurons: all(neurons) })) };
}

function assemble(
  model: Inspection,
  plan: Plan,
  result: PruneResult | undefined,
  made: Plan | undefined,
  scores: Scores | undefined,
): View {
  const report = result?.report;
  const shape = shapeOf(model);
  const hidden = plan.hidden?.length ?? model.hidden;
  const seen = shape && report ? tokensSeen(shape, model, report) : 0;
  const linears = byLayer(report?.linears ?? []);
  const layers = model.layers.map((dense, index): LayerView => {
    const units = (kind: Kind): Units => {
      const kept = new Set(plan.layers[index]?.[kind]);
      return {
        of: dense[kind],
        kept,
        scores: scores?.[index]?.[kind],
        close: closeCalls(report, index, kind),
        changed: made ? difference(kept, new Set(made.layers[index]?.[kind])) : new Set(),
        outcome: report?.layers[index]?.[kind],
      };
    };
    const [heads, neurons] = [units('heads'), units('neurons')];
    const own = linears.get(index) ?? [];
    return {
      index,
      removed: heads.kept.size + neurons.kept.size === 0,
      heads,
      neurons,
      linears: own,
      parameters: shape && {
        before: parameters(shape, dense.heads, dense.neurons).both,
        after: parameters(shape, heads.kept.size, neurons.kept.size, hidden).both - removedWeights(own),
      },
      // Zeros and ranks: what a run saves by them depends on who runs the model.
      flops:
        shape && report && own.length === 0
          ? {
              before: flops(shape, dense.heads, dense.neurons, seen),
              after: flops(shape, heads.kept.size, neurons.kept.size, seen, hidden),
            }
          : undefined,
      probes: (report?.probes ?? []).filter(({ layer }) => layer === index),
    };
  });
  const outside = (width: number, all: number, inside: number) => {
    const table = model.vocabulary * width;
    return { table, rest: Math.max(all - inside - table, 0) };
  };
  const dense = outside(model.hidden, model.parameters, model.linear_parameters);
  // Zeros are not counted among what the layers keep, but a file may hold them: only whole units change what lies outside.
  const pruned =
    report && linears.size === 0 ? outside(hidden, report.after.parameters, report.after.linear_parameters) : dense;
  return {
    model,
    shape,
    layers,
    hidden: { kept: new Set(plan.hidden ?? Array.from({ length: model.hidden }, (_, i) => i)), of: model.hidden },
    embedding: { before: dense.table, after: pruned.table },
    rest: { before: dense.rest, after: pruned.rest },
    result,
  };
}

/** The number of the layer is the first one in a tensor's name. */
function byLayer(linears: readonly LinearOutcome[]): Map<number, LinearOutcome[]> {
  const found = new Map<number, LinearOutcome[]>();
  for (const linear of linears) {
    const layer = Number(/\.(\d+)\./.exec(linear.tensor)?.[1] ?? -1);
    found.set(layer, [...(found.get(layer) ?? []), linear]);
  }
  return found;
}

function removedWeights(linears: readonly LinearOutcome[]): number {
  return linears.reduce((all, { shape: [outputs, inputs], kept }) => all + outputs * inputs - kept, 0);
}

function closeCalls(report: Report | undefined, layer: number, kind: Kind): Set<number> {
  const calls = report?.close_calls.filter((call) => call.layer === layer && call.unit === kind) ?? [];
  return new Set(calls.map(({ index }) => index));
}

function difference(one: ReadonlySet<number>, other: ReadonlySet<number>): Set<number> {
  const added = [...one].filter((unit) => !other.has(unit));
  return new Set([...added, ...[...other].filter((unit) => !one.has(unit))]);
}
