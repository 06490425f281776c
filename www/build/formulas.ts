import { readFileSync } from 'node:fs';
import temml from 'temml';
import type { Plugin } from 'vite';

/** What Temml sets inline; the page's policy takes no inline styles, and www/src/styles/formulas.css says the same by class. */
const INLINE = /^(display:block math|math-depth:0|padding-(left|right):\d+(\.\d+)?em|padding:[\d.em ]+)$/;

/**
 * A formula as MathML Core, which browsers set by themselves, from LaTeX. Called when the site is built.
 *
 * @throws where the LaTeX is wrong, or where it takes a style that the page's stylesheet does not know.
 */
export function formula(latex: string, display: boolean): string {
  const markup = temml.renderToString(latex, { displayMode: display, throwOnError: true });
  return markup.replaceAll(/ style="([^"]*)"/g, (_, style: string) => {
    for (const rule of style.split(';').filter((one) => one !== '')) {
      if (!INLINE.test(rule))
        throw new Error(
          `The formula ${latex} takes the style "${rule}"; name it in formulas.css or write it otherwise.`,
        );
    }
    return '';
  });
}

const NAME = 'virtual:formulas';

/** Makes a file of LaTeX formulas by name importable as MathML. */
export function formulasModule(source: string): Plugin {
  return {
    name: 'coppice:formulas',
    resolveId: (id) => (id === NAME ? `\0${NAME}` : undefined),
    load(id) {
      if (id !== `\0${NAME}`) return undefined;
      this.addWatchFile(source);
      const named = Object.entries(JSON.parse(readFileSync(source, 'utf8')) as Record<string, string>);
      const set = Object.fromEntries(named.map(([name, latex]) => [name, formula(latex, true)]));
      return `export const FORMULAS = ${JSON.stringify(set)};`;
    },
  };
}
