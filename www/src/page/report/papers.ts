import type { Recipe } from '../../lib/coppice.ts';

/** Where methods come from, by menu and name; docs/METHODS.md says what differs from there. A method of our own or without a source has none. */
export const PAPERS: Record<string, Record<string, string>> = {
  criteria: {
    magnitude: 'Han et al., 2015 (NeurIPS), by groups',
    wanda_sp: 'Wanda: Sun et al., 2024 (ICLR), by whole units',
    flap: 'FLAP: An et al., 2024 (AAAI)',
    second_moment: 'Greedy Output Approximation, 2024 (arXiv 2407.19126)',
    obs: 'Hassibi and Stork, 1993',
    osscar: 'OSSCAR: Meng et al., 2024 (ICML)',
    kcm: 'KCM: Nova et al., 2023 (ICML)',
    fisher: 'Kwon et al., 2022 (NeurIPS)',
    snip: 'SNIP: Lee et al., 2019 (ICLR), by units',
    kprune: 'K-prune: Park et al., 2024 (ICLR)',
    optin: 'OPTIN: Khaki and Plataniotis, 2024 (ICLR)',
  },
  allocations: {
    global: 'FLAP: An et al., 2024 (AAAI)',
    flops: 'Kwon et al., 2022 (NeurIPS)',
    parameters: 'Kwon et al., 2022 (NeurIPS)',
    latency: 'Kwon et al., 2022 (NeurIPS)',
    sensitivity: 'sensitivity analysis as of Li et al., 2017 (ICLR)',
  },
  reconstructions: {
    bias: 'FLAP: An et al., 2024 (AAAI)',
    mask_tuning: 'Kwon et al., 2022 (NeurIPS)',
    liar: 'LIAR, 2024 (arXiv 2407.13331)',
  },
  weight_criteria: {
    magnitude: 'Han et al., 2015 (NeurIPS)',
    wanda: 'Wanda: Sun et al., 2024 (ICLR)',
    ria: 'RIA: Zhang et al., 2024 (ICLR)',
    sparsegpt: 'SparseGPT: Frantar and Alistarh, 2023 (ICML)',
  },
  sparsity_allocations: {
    owl: 'OWL: Yin et al., 2024 (ICML)',
    alpha: 'AlphaPruning: Lu et al., 2024 (NeurIPS)',
    adaptive: 'Wanda: Sun et al., 2024 (ICLR), a variant in its code',
    trim: 'TRIM: Beck, Rudman and Eickhoff, 2025',
  },
  updates: {
    sparsegpt: 'SparseGPT: Frantar and Alistarh, 2023 (ICML)',
    refit: 'ALPS: Meng et al., 2024 (NeurIPS), its last step',
    dsnot: 'DSnoT: Zhang et al., 2024 (ICLR)',
  },
  factorisations: {
    svd: 'Eckart and Young, 1936',
    asvd: 'ASVD: Yuan et al., 2023',
    whitened: 'SVD-LLM: Wang et al., 2024',
  },
  rank_allocations: { soft_threshold: 'SoftLMs: Bhatnagar et al., 2024' },
};

/** The paper that single weights beside a product come from. */
export const SINGLES = 'OATS: Zhang and Papyan, 2024';

/** What a recipe chooses from menus: the part that it plays, the catalog's list, and the name there. */
export function choicesOf({ method }: Recipe): { role: Role; list: List; name: string }[] {
  switch (method.kind) {
    case 'structured':
      return [
        { role: 'criterion', list: 'criteria', name: method.criterion },
        { role: 'allocation', list: 'allocations', name: method.allocation },
        { role: 'repair', list: 'reconstructions', name: method.reconstruction },
      ];
    case 'plan':
      return [{ role: 'repair', list: 'reconstructions', name: method.reconstruction }];
    case 'sparse':
      return [
        { role: 'criterion', list: 'weight_criteria', name: method.criterion },
        { role: 'allocation', list: 'sparsity_allocations', name: method.allocation },
        ...(method.layer_budgets !== undefined && method.layer_budgets !== 'uniform'
          ? [{ role: 'budgets', list: 'sparsity_allocations', name: method.layer_budgets } as const]
          : []),
        { role: 'update', list: 'updates', name: method.update },
      ];
    case 'low_rank':
      return [
        { role: 'factorisation', list: 'factorisations', name: method.factorisation },
        { role: 'allocation', list: 'rank_allocations', name: method.allocation },
      ];
  }
}

export type Role = 'criterion' | 'allocation' | 'repair' | 'budgets' | 'update' | 'factorisation';
export type List =
  | 'criteria'
  | 'allocations'
  | 'reconstructions'
  | 'weight_criteria'
  | 'sparsity_allocations'
  | 'updates'
  | 'factorisations'
  | 'rank_allocations';
