import { ask } from './ask.ts';
import { byId, h } from './dom.ts';
import { addressIn, type Language, language, LANGUAGES } from './language.ts';
import { WORDS as ALL } from './words.ts';

const { language: WORDS } = ALL;

/** What a reload would lose. */
export interface Stake {
  model: boolean;
  attempts: number;
}

/** Links to the page in its other languages. They load it anew, so they ask before something is lost. */
export class LanguageSwitch {
  constructor(stake: () => Stake) {
    const others = (Object.keys(LANGUAGES) as Language[]).filter((other) => other !== language);
    byId('languages').replaceChildren(
      ...others.map((other) => {
        const link = h(
          'a',
          { href: addressIn(other, location.href), lang: other, hreflang: other, 'data-testid': `language-${other}` },
          LANGUAGES[other],
        );
        link.addEventListener('click', (event) => {
          // Another tab loses nothing.
          if (event.ctrlKey || event.metaKey || event.shiftKey) return;
          event.preventDefault();
          void this.#go(other, stake());
        });
        return link;
      }),
    );
  }

  async #go(other: Language, { model, attempts }: Stake): Promise<void> {
    const lost = model || attempts > 0;
    if (lost && !(await ask(WORDS.lost(model, attempts), WORDS.change, WORDS.stay))) return;
    // What stands behind the # may have changed since the link was made.
    location.assign(addressIn(other, location.href));
  }
}
