import type { Catalog, Choice } from '../../lib/coppice.ts';
import { byId, h } from '../dom.ts';
import { type Kind, type Menu, MENUS } from './menus.ts';

/** The fields of the form, and which of them go with what is chosen. */
export class RecipeForm {
  readonly element = byId('recipe-form') as HTMLFormElement;
  #catalog: Catalog | undefined;

  /** Fills the menus with what the core declares, keeping what was chosen. */
  offer(catalog: Catalog): void {
    this.#catalog = catalog;
    for (const [name, list, preferred] of MENUS) {
      const select = this.select(name);
      const chosen = select.value || preferred;
      const choices = catalog[list] ?? [];
      select.replaceChildren(...choices.map((choice) => h('option', { value: choice.name }, choice.title)));
      select.value = chosen;
      if (select.selectedIndex < 0) select.selectedIndex = 0;
    }
    this.offerKind('sparse', catalog.weight_criteria.length > 0);
    this.offerKind('low_rank', (catalog.factorisations ?? []).length > 0);
  }

  /** Shows a kind of method in its menu, or takes it out. */
  offerKind(kind: Kind, offered: boolean): void {
    const option = this.element.querySelector<HTMLOptionElement>(`option[value="${kind}"]`);
    if (option) option.hidden = option.disabled = !offered;
  }

  /** Leaves the output kinds that go with the kind of method. */
  offerOutputs(): void {
    const select = this.select('output');
    for (const option of select.options) {
      const { methods } = this.#catalog?.outputs.find((one: Choice) => one.name === option.value) ?? {};
      option.hidden = option.disabled = !(methods?.includes(this.kind) ?? true);
    }
    if (select.selectedOptions[0]?.disabled) {
      select.selectedIndex = [...select.options].findIndex((option) => !option.disabled);
    }
  }

  get kind(): Kind {
    return this.select('kind').value as Kind;
  }

  /** Whether removed units can be padded with zeros in what is written. */
  get pads(): boolean {
    return (this.kind === 'structured' || this.kind === 'plan') && this.select('output').value === 'stock';
  }

  /** Whether something that is chosen in a menu of the kind of method goes with a field of the method. */
  takes(field: string): boolean {
    return MENUS.some(([menu]) => {
      const part = this.select(menu).closest<HTMLElement>('[data-kind]');
      return (!part || this.isFor(part)) && (this.chosen(menu)?.options?.includes(field) ?? false);
    });
  }

  /** Whether a part of the form is for the kind of method that is chosen. */
  isFor(part: HTMLElement): boolean {
    return part.dataset.kind?.split(' ').includes(this.kind) ?? true;
  }

  /** What is chosen in a menu. */
  chosen(menu: Menu): Choice | undefined {
    const [, list] = MENUS.find(([name]) => name === menu) ?? [];
    return list && this.#catalog?.[list]?.find((one: Choice) => one.name === this.select(menu).value);
  }

  input(name: string): HTMLInputElement {
    return this.element.elements.namedItem(name) as HTMLInputElement;
  }

  select(name: string): HTMLSelectElement {
    return this.element.elements.namedItem(name) as HTMLSelectElement;
  }

  /** Keeps how the form stands; what comes back puts it there again. */
  keep(): () => void {
    const fields = [...this.element.elements].filter(
      (field) => field instanceof HTMLInputElement || field instanceof HTMLSelectElement,
    );
    const values = fields.map(({ value }) => value);
    const ticks = fields.map((field) => field instanceof HTMLInputElement && field.checked);
    return () => {
      for (const [place, field] of fields.entries()) {
        field.value = values[place] ?? '';
        if (field instanceof HTMLInputElement) field.checked = ticks[place] ?? false;
      }
    };
  }
}
