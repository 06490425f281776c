import type { LinearOutcome } from '../../lib/types.ts';
import type { Bin } from './order.ts';

/** What a cell of the map stands for. */
export type Cell =
  | { kind: 'layer'; layer: number }
  | { kind: 'heads'; layer: number; unit: number }
  | { kind: 'neurons'; layer: number; bin: Bin }
  | { kind: 'linear'; layer: number; linear: LinearOutcome; title: string }
  | { kind: 'embedding' }
  | { kind: 'output' };

const CELLS = new WeakMap<Element, Cell>();

/** Notes what an element stands for. */
export function bind<E extends Element>(element: E, cell: Cell): E {
  CELLS.set(element, cell);
  return element;
}

/** The cell that an element belongs to. */
export function cellOf(target: EventTarget | null): { element: HTMLElement; cell: Cell } | undefined {
  if (!(target instanceof Element)) return undefined;
  const element = target.closest<HTMLElement>('.map-cell');
  if (!element) return undefined;
  const cell = CELLS.get(element);
  return cell && { element, cell };
}
