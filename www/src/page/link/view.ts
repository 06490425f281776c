import { byId, radio } from '../dom.ts';

/** Parts of the page that can be open, by the names that links give them. */
const PARTS = { json: '#json-details', command: '#command-details', map: '#open-map details' } as const;
const LEARN = ['walk', 'lab'] as const;
const TEXTS = { calibration: ['demo', 'own'], evaluation: ['demo', 'own', 'none'] } as const;

export const GROUPS = ['calibration', 'evaluation'] as const;

/** What is open, and where the page stands. */
export interface View {
  /** Whose texts: the page's, one of the person's own, or none. */
  texts: Record<(typeof GROUPS)[number], string>;
  open: string[];
  /** Section at the top of the window. */
  step: string | undefined;
}

export function viewOfPage(): View {
  const open = Object.entries(PARTS)
    .filter(([, selector]) => document.querySelector<HTMLDetailsElement>(selector)?.open)
    .map(([name]) => name);
  const learn = LEARN.filter((name) =>
    document.querySelector(`.learn:not([hidden]) [data-testid="learn-view-${name}"][aria-current]`),
  );
  const above = steps().filter((section) => section.getBoundingClientRect().top <= innerHeight * 0.4);
  return {
    texts: { calibration: radio('calibration'), evaluation: radio('evaluation') },
    open: [...open, ...learn],
    step: above.at(-1)?.id,
  };
}

/** The view that a link tells of, where it is one that this page has. */
export function checkedView(value: Record<string, unknown>): View | undefined {
  const { texts, open, step } = value;
  if (typeof texts !== 'object' || texts === null) return undefined;
  const named = texts as Record<string, unknown>;
  const choices = GROUPS.map((group) => [group, TEXTS[group].find((one) => one === named[group])] as const);
  const names: string[] = [...Object.keys(PARTS), ...LEARN];
  const parts: unknown[] | undefined = Array.isArray(open) ? open : undefined;
  const known = parts?.filter((name): name is string => typeof name === 'string' && names.includes(name));
  const section = step === undefined ? undefined : steps(true).find(({ id }) => id === step);
  if (!known || known.length !== parts?.length || (step !== undefined && !section)) return undefined;
  if (choices.some(([, choice]) => choice === undefined)) return undefined;
  return { texts: Object.fromEntries(choices) as View['texts'], open: known, step: section?.id };
}

/** Opens and shows what a view tells of. */
export function restoreView({ open, step }: View): void {
  for (const [name, selector] of Object.entries(PARTS)) {
    const part = document.querySelector<HTMLDetailsElement>(selector);
    if (part && open.includes(name)) part.open = true;
  }
  for (const name of LEARN) if (open.includes(name)) byId(`learn-${name}`).click();
  if (step !== undefined && !byId(step).hidden) byId(step).scrollIntoView();
}

function steps(all = false): HTMLElement[] {
  return [...document.querySelectorAll<HTMLElement>('.step')].filter(({ hidden }) => all || !hidden);
}
