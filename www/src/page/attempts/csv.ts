import type { Attempt } from './attempt.ts';

/** Where a column takes its value from: a path into the attempt, or a function of it. */
type Place = string | ((row: Row) => unknown);

interface Row {
  name: string;
  model: string;
  recipe: Attempt['result']['report']['recipe'];
  report: Attempt['result']['report'];
  attempt: Attempt;
}

/**
 * The columns of the table that `coppice sweep` writes (src/job/sweep/row.rs), with its names and in its order, but for those that only a
 * sweep has: `key` and `error`. What only the page knows comes behind them.
 */
export const COLUMNS: readonly (readonly [string, Place])[] = [
  ['name', 'name'],
  ['model', 'model'],
  ['method', 'recipe/method/kind'],
  ['units', ({ recipe }) => at(recipe, 'method/units', (units) => (units as string[]).join(' '))],
  ['criterion', 'recipe/method/criterion'],
  ['allocation', 'recipe/method/allocation'],
  ['ratio', 'recipe/method/ratio'],
  ['pattern', 'recipe/method/pattern'],
  ['layer_budgets', 'recipe/method/layer_budgets'],
  ['update', 'recipe/method/update'],
  ['options', options],
  ['reconstruction', 'recipe/method/reconstruction'],
  ['ridge', 'recipe/method/ridge'],
  ['affine', 'recipe/method/affine'],
  ['error_aware', 'recipe/method/error_aware'],
  ['target', 'recipe/method/target'],
  ['calibration', 'recipe/calibration/source'],
  ['sequences', 'recipe/calibration/sequences'],
  ['length', 'recipe/calibration/length'],
  ['seed', 'recipe/calibration/seed'],
  ['tokens', 'report/calibration/tokens'],
  ['output', 'recipe/output/kind'],
  ['dtype', 'recipe/output/dtype'],
  ['pad', 'recipe/output/pad'],
  ['realised_linear', 'report/ratio/linear'],
  ['realised_weights', 'report/ratio/weights'],
  ['realised_parameters', 'report/ratio/parameters'],
  ['realised_flops', 'report/ratio/flops'],
  ['realised_bytes', 'report/ratio/bytes'],
  ['parameters_before', 'report/before/parameters'],
  ['parameters_after', 'report/after/parameters'],
  ['bytes_before', 'report/before/bytes'],
  ['bytes_after', 'report/after/bytes'],
  ['flops_per_token_before', 'report/before/flops_per_token'],
  ['flops_per_token_after', 'report/after/flops_per_token'],
  ['accuracy_before', 'report/quality_before/accuracy'],
  ['accuracy_after', 'report/quality_after/accuracy'],
  ['agreement', 'report/quality_after/agreement'],
  ['examples', 'report/quality_after/examples'],
  ['perplexity_before', 'report/quality_before/perplexity'],
  ['perplexity_after', 'report/quality_after/perplexity'],
  ['excess_loss', excessLoss],
  ['token_accuracy_before', 'report/quality_before/token_accuracy'],
  ['token_accuracy_after', 'report/quality_after/token_accuracy'],
  ['evaluated_tokens', 'report/quality_after/tokens'],
  ['window', 'report/quality_after/window'],
  ['distance', 'report/quality_after/distance'],
  ['kl', 'report/quality_after/kl'],
  ['seconds_evaluate_dense', 'report/seconds/evaluate_dense'],
  ['seconds_calibrate', 'report/seconds/calibrate'],
  ['seconds_score', 'report/seconds/score'],
  ['seconds_reconstruct', 'report/seconds/reconstruct'],
  ['seconds_export', 'report/seconds/export'],
  ['seconds_evaluate_pruned', 'report/seconds/evaluate_pruned'],
  ['seconds_total', 'report/seconds/total'],
  ['fallbacks', fallbacks],
  ['close_calls', ({ report }) => report.close_calls.length],
  ['device', 'report/device/name'],
  ['backend', 'report/device/backend'],
  ['coppice', 'report/coppice'],
  ['model_folder', ({ attempt }) => attempt.subject.name],
  ['speed_of', ({ attempt }) => attempt.speed?.what],
  ['speed_dense', ({ attempt }) => attempt.speed?.dense],
  ['speed_pruned', ({ attempt }) => attempt.speed?.pruned],
  ['speed_ratio', ({ attempt }) => attempt.speed?.ratio],
  ['speed_rounds', ({ attempt }) => attempt.speed?.rounds],
  ['speed_device', ({ attempt }) => attempt.speed?.device],
];

/** The attempts as a table by RFC 4180: CRLF, quotes where a value has a comma, a quote or a line break. */
export function csvOf(attempts: readonly Attempt[]): string {
  const rows = attempts.map((attempt) => {
    const { report } = attempt.result;
    const row: Row = {
      name: attempt.name,
      model: attempt.subject.inspection.class,
      recipe: report.recipe,
      report,
      attempt,
    };
    return COLUMNS.map(([, place]) => (typeof place === 'string' ? at(row, place) : place(row)));
  });
  return [COLUMNS.map(([name]) => name), ...rows].map((cells) => `${cells.map(quoted).join(',')}\r\n`).join('');
}

function quoted(value: unknown): string {
  const text = typeof value === 'string' ? value : value === undefined || value === null ? '' : JSON.stringify(value);
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

/** What lies at a path, and nothing where there is no such place. */
function at(value: unknown, path: string, map: (found: unknown) => unknown = (found) => found): unknown {
  let found = value;
  for (const key of path.split('/')) {
    if (typeof found !== 'object' || found === null) return undefined;
    found = (found as Record<string, unknown>)[key];
  }
  return found === undefined ? undefined : map(found);
}

/** What the method says beside the fields that have a column, as JSON. */
function options({ recipe }: Row): string {
  const own = new Set(COLUMNS.map(([name, place]) => (typeof place === 'string' ? place : `recipe/method/${name}`)));
  const rest = Object.entries(recipe.method).filter(([field]) => !own.has(`recipe/method/${field}`));
  return rest.length > 0 ? JSON.stringify(Object.fromEntries(rest)) : '';
}

/** ln(perplexity after) - ln(perplexity before). */
function excessLoss({ report: { quality_before: before, quality_after: after } }: Row): number | undefined {
  if (before?.task !== 'perplexity' || after?.task !== 'perplexity') return undefined;
  return Math.log(after.perplexity) - Math.log(before.perplexity);
}

/** Repairs that fell back to a weaker one. */
function fallbacks({ report }: Row): number {
  return report.layers.flatMap((layer) => Object.values(layer)).filter((unit: object) => 'fell_back_from' in unit)
    .length;
}
