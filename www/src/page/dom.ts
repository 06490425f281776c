/** Finds an element of the page by id; its absence is a defect of the page itself. */
export function byId(id: string): HTMLElement {
  const element = document.getElementById(id);
  if (!element) throw new Error(`The page has no element #${id}.`);
  return element;
}

/** Finds a field of the page by id. */
export function inputById(id: string): HTMLInputElement {
  return byId(id) as HTMLInputElement;
}

/** Hides a button and shows the one that takes its place; the focus goes along, since a hidden button loses it to nowhere. */
export function exchange(leaving: HTMLElement, coming: HTMLElement): void {
  const focused = document.activeElement === leaving;
  leaving.hidden = true;
  coming.hidden = false;
  if (focused) coming.focus();
}

type Child = Node | string | null | undefined;

/** Makes an element: attributes as strings, `true` for a bare attribute. Text is never parsed as markup. */
export function h<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  attributes: Record<string, string | boolean> = {},
  ...children: Child[]
): HTMLElementTagNameMap[K] {
  const element = document.createElement(tag);
  setAttributes(element, attributes);
  element.append(...children.filter((child) => child !== null && child !== undefined));
  return element;
}

/** A sentence of a catalogue as nodes: what stands in `…` is code, and in **…** strong. */
export function rich(sentence: string): (Node | string)[] {
  return sentence.split(/(`[^`]+`|\*\*[^*]+\*\*)/).map((part) => {
    if (part.startsWith('`')) return h('code', {}, part.slice(1, -1));
    return part.startsWith('**') ? h('strong', {}, part.slice(2, -2)) : part;
  });
}

/** Makes an SVG element. */
export function svg(tag: string, attributes: Record<string, string | number> = {}, ...children: Child[]): SVGElement {
  const element = document.createElementNS('http://www.w3.org/2000/svg', tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, String(value));
  element.append(...children.filter((child) => child !== null && child !== undefined));
  return element;
}

function setAttributes(element: Element, attributes: Record<string, string | boolean>): void {
  for (const [name, value] of Object.entries(attributes)) {
    if (value !== false) element.setAttribute(name, value === true ? '' : value);
  }
}

/** A row of column headings. */
export function headings(titles: readonly string[]): HTMLElement {
  return h('tr', {}, ...titles.map((title) => h('th', { scope: 'col' }, title)));
}

/** The value of the checked radio button of a group. */
export function radio(name: string): string {
  return document.querySelector<HTMLInputElement>(`input[name="${name}"]:checked`)?.value ?? '';
}

/** Offers a blob as a download. */
export function download(blob: Blob, name: string): void {
  const address = URL.createObjectURL(blob);
  h('a', { href: address, download: name }).click();
  // The browser has taken its own reference by then.
  setTimeout(() => {
    URL.revokeObjectURL(address);
  }, 60_000);
}
