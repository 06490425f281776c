import type { Complete, Fields } from './defaults.ts';
import type { RecipeForm } from './form.ts';
import { percentOf } from './numbers.ts';
import { WORDS } from './words.ts';

/** Sets the fields of the form to a recipe; what it has no field for is left to the caller. An error names a choice that is not offered. */
export function fillForm(form: RecipeForm, { calibration, method, output }: Complete): void {
  const choose = (menu: string, value: unknown, path: string) => {
    const select = form.select(menu);
    const offered = [...select.options].filter((option) => !option.disabled).map((option) => option.value);
    if (!offered.includes(String(value))) throw new Error(WORDS.notOffered(path, JSON.stringify(value), offered));
    select.value = String(value);
  };
  const type = (name: string, value: unknown) => {
    form.input(name).value = String(value);
  };
  const tick = (name: string, value: unknown) => {
    form.input(name).checked = value === true;
  };
  const percent = (name: string, value: unknown) => {
    type(name, percentOf(Number(value)));
  };

  choose('kind', method.kind, 'method.kind');
  form.offerOutputs();
  choose('output', output.kind, 'output.kind');
  choose('dtype', output.dtype, 'output.dtype');
  tick('pad', output.pad);
  for (const name of ['sequences', 'length', 'seed']) type(name, calibration[name]);
  if (method.kind !== 'plan') {
    percent('ratio', method.ratio);
    percent('ratio-slider', method.ratio);
  }
  switch (method.kind) {
    case 'structured':
      fillUnits(form, method.units);
      choose('criterion', method.criterion, 'method.criterion');
      choose('allocation', method.allocation, 'method.allocation');
      for (const name of ['swaps', 'score_sequences']) type(name, method[name]);
      for (const name of ['screen', 'floor']) percent(name, method[name]);
      break;
    case 'sparse':
      choose('weight_criterion', method.criterion, 'method.criterion');
      choose('pattern', method.pattern, 'method.pattern');
      choose('sparsity_allocation', method.allocation, 'method.allocation');
      choose('layer_budgets', method.layer_budgets, 'method.layer_budgets');
      choose('update', method.update, 'method.update');
      break;
    case 'low_rank':
      choose('factorisation', method.factorisation, 'method.factorisation');
      choose('rank_allocation', method.allocation, 'method.allocation');
      percent('rank_floor', method.floor);
      tick('joint', method.joint);
      percent('single_share', method.sparse);
      break;
  }
  if (method.kind === 'structured' || method.kind === 'plan') fillRepair(method);

  function fillRepair(repair: Fields): void {
    choose('reconstruction', repair.reconstruction, 'method.reconstruction');
    tick('ridge_auto', repair.ridge === 'auto');
    if (repair.ridge !== 'auto') type('ridge', repair.ridge);
    tick('affine', repair.affine);
    tick('error_aware', repair.error_aware);
    choose('target', repair.target, 'method.target');
  }
}

function fillUnits(form: RecipeForm, units: unknown): void {
  const wanted: unknown[] = Array.isArray(units) ? units : [];
  for (const box of form.element.querySelectorAll<HTMLInputElement>('input[name="units"]')) {
    box.checked = wanted.includes(box.value);
  }
}
