import { FORMULAS } from 'virtual:formulas';
import { h } from '../dom.ts';

/** A formula of formulas.json, which the build has turned into MathML; a box that scrolls where the sheet is narrow. */
export function formula(name: keyof typeof FORMULAS): HTMLElement {
  const { body } = new DOMParser().parseFromString(FORMULAS[name], 'text/html');
  return h('div', { class: 'formula', tabindex: '0' }, ...body.childNodes);
}
