import { h } from '../dom.ts';
import { type Cell, cellOf } from './cell.ts';
import { type Drawing, embeddingRow, layerRow, outputRow } from './draw.ts';

/** The rows of a map, as one stop of the tab order that the arrow keys move in. */
export class Grid {
  readonly element: HTMLElement;
  #pointed: Cell | undefined;
  /** Called when a cell is pointed at or has the focus; nothing when the pointer leaves. */
  onCell: (cell: Cell | undefined, focused: boolean) => void = () => undefined;
  /** Called for a click and for keys that the grid does not take itself; true where it was made use of. */
  onAct: (cell: Cell, key: string) => boolean = () => false;

  constructor(label: string, id: string, describedBy: string) {
    this.element = h('div', {
      class: 'map-grid',
      role: 'grid',
      'aria-label': label,
      'aria-describedby': describedBy,
      'data-testid': id,
    });
    this.element.addEventListener('keydown', (event) => {
      this.#key(event);
    });
    this.element.addEventListener('focusin', ({ target }) => {
      const found = cellOf(target);
      if (!found) return;
      this.#makeCurrent(found.element);
      this.onCell(found.cell, true);
    });
    // Moves alone: a pointer that rests enters other cells when the page scrolls to the focus, and must not speak over it.
    this.element.addEventListener('pointermove', ({ target }) => {
      const cell = cellOf(target)?.cell;
      if (cell === this.#pointed) return;
      this.#pointed = cell;
      this.onCell(cell, false);
    });
    this.element.addEventListener('pointerleave', () => {
      this.#pointed = undefined;
      this.onCell(cellOf(document.activeElement)?.cell, false);
    });
    this.element.addEventListener('click', ({ target }) => {
      const found = cellOf(target);
      if (!found) return;
      found.element.focus();
      this.onAct(found.cell, 'click');
    });
  }

  /** Draws everything anew; the focus stays on the same place. */
  draw(drawing: Drawing): void {
    const place = this.#placeOf(this.#current());
    const focused = this.element.contains(document.activeElement);
    const { layers } = drawing.view;
    this.element.classList.toggle('many', layers.length > 16);
    this.element.replaceChildren(
      embeddingRow(drawing),
      ...layers.map((layer) => layerRow(layer, drawing)),
      outputRow(drawing),
    );
    const cell = place ? this.#at(place) : this.#cells(1)[0];
    if (!cell) return;
    this.#makeCurrent(cell);
    if (focused) cell.focus();
  }

  #rows(): Element[] {
    return [...this.element.children];
  }

  #cells(row: number): HTMLElement[] {
    return [...(this.#rows()[row]?.querySelectorAll<HTMLElement>('.map-cell') ?? [])];
  }

  #current(): HTMLElement | null {
    return this.element.querySelector<HTMLElement>('.map-cell[tabindex="0"]');
  }

  #makeCurrent(cell: HTMLElement): void {
    const current = this.#current();
    if (current) current.tabIndex = -1;
    cell.tabIndex = 0;
  }

  /** Row of a cell, its lane, and its place in the lane with the lane's length. */
  #placeOf(cell: HTMLElement | null): Place | undefined {
    const row = this.#rows().findIndex((one) => one.contains(cell));
    if (!cell || row < 0) return undefined;
    const kind = cellOf(cell)?.cell.kind ?? 'layer';
    const lane = this.#lane(row, kind);
    return { row, kind, index: lane.indexOf(cell), of: lane.length };
  }

  #lane(row: number, kind: Cell['kind']): HTMLElement[] {
    return this.#cells(row).filter((cell) => cellOf(cell)?.cell.kind === kind);
  }

  /** The cell at a place; in a lane of another length the one that lies at the same share of it, without a lane the row's name. */
  #at({ row, kind, index, of }: Place): HTMLElement | undefined {
    const lane = this.#lane(row, kind);
    const place = lane.length === of ? index : Math.floor(((index + 0.5) * lane.length) / of);
    return lane[Math.min(place, lane.length - 1)] ?? this.#cells(row)[0];
  }

  #key(event: KeyboardEvent): void {
    const found = cellOf(event.target);
    if (!found || event.altKey || event.metaKey || event.ctrlKey) return;
    const next = this.#next(found.element, event.key);
    if (next) next.focus();
    else if (!this.onAct(found.cell, event.key)) return;
    event.preventDefault();
  }

  #next(cell: HTMLElement, key: string): HTMLElement | undefined {
    const place = this.#placeOf(cell);
    if (!place) return undefined;
    const cells = this.#cells(place.row);
    const at = cells.indexOf(cell);
    const rows = this.#rows().length;
    const inRow = (row: number) => this.#at({ ...place, row: Math.max(0, Math.min(rows - 1, row)) });
    switch (key) {
      case 'ArrowRight':
        return cells[Math.min(at + 1, cells.length - 1)];
      case 'ArrowLeft':
        return cells[Math.max(at - 1, 0)];
      case 'ArrowDown':
        return inRow(place.row + 1);
      case 'ArrowUp':
        return inRow(place.row - 1);
      case 'PageDown':
        return inRow(rows - 1);
      case 'PageUp':
        return inRow(0);
      case 'Home':
        return cells[0];
      case 'End':
        return cells.at(-1);
      default:
        return undefined;
    }
  }
}

interface Place {
  row: number;
  kind: Cell['kind'];
  index: number;
  of: number;
}
