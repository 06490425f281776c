/** The menus of the form: their name, the catalog's list behind them, and what is chosen first. */
export const MENUS = [
  ['criterion', 'criteria', 'flap'],
  ['allocation', 'allocations', 'uniform'],
  ['reconstruction', 'reconstructions', 'liar'],
  ['weight_criterion', 'weight_criteria', 'wanda'],
  ['pattern', 'patterns', 'unstructured'],
  ['sparsity_allocation', 'sparsity_allocations', 'uniform'],
  ['layer_budgets', 'layer_budgets', 'uniform'],
  ['update', 'updates', 'none'],
  ['factorisation', 'factorisations', 'whitened'],
  ['rank_allocation', 'rank_allocations', 'uniform'],
  ['output', 'outputs', 'stock'],
] as const;

export type Menu = (typeof MENUS)[number][0];

/** The kinds of methods that the form is for. */
export type Kind = 'structured' | 'sparse' | 'low_rank' | 'plan';
