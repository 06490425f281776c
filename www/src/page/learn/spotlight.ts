/** Marks a part of the page, and brings it into view. One part at a time. */
export class Spotlight {
  #target: HTMLElement | undefined;

  /** Points at the first of the selectors that the page shows. */
  point(selectors: readonly string[], scroll: boolean): void {
    const target = find(selectors);
    if (target !== this.#target) {
      this.clear();
      target?.classList.add('learn-target');
      this.#target = target;
    }
    if (scroll) this.show();
  }

  /** Scrolls to the part. */
  show(): void {
    const calm = matchMedia('(prefers-reduced-motion: reduce)').matches;
    this.#target?.scrollIntoView({ block: 'start', behavior: calm ? 'auto' : 'smooth' });
  }

  /** Goes to the part with the keyboard's focus, which from there finds what is inside. */
  focus(): void {
    const target = this.#target;
    if (!target) return;
    this.show();
    if (!target.hasAttribute('tabindex')) {
      target.setAttribute('tabindex', '-1');
      target.addEventListener(
        'blur',
        () => {
          target.removeAttribute('tabindex');
        },
        { once: true },
      );
    }
    target.focus({ preventScroll: true });
  }

  clear(): void {
    this.#target?.classList.remove('learn-target');
    this.#target = undefined;
  }
}

function find(selectors: readonly string[]): HTMLElement | undefined {
  for (const selector of selectors) {
    const element = document.querySelector<HTMLElement>(selector);
    if (element && element.getClientRects().length > 0) return element;
  }
  return undefined;
}
