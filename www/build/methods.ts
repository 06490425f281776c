import { readFileSync } from 'node:fs';
import { Marked, type Token, type TokenizerAndRendererExtension, type Tokens } from 'marked';
import type { Plugin } from 'vite';
import { formula } from './formulas.ts';

/**
 * Which menus of the recipe form the names in a section of docs/METHODS.md belong to: by heading of the second level, and
 * below it by how a heading of the third begins. A menu is called as its field in the form.
 */
const MENUS: Record<string, Record<string, string[]>> = {
  Structures: { '': ['units'] },
  Criteria: { '': ['criterion'] },
  Allocations: { '': ['allocation'] },
  Repairs: { '': ['reconstruction'] },
  'Single weights': {
    Criteria: ['weight_criterion'],
    Patterns: ['pattern'],
    'Allocations to blocks': ['layer_budgets', 'sparsity_allocation'],
    'Allocations to rows': ['sparsity_allocation'],
    Updates: ['update'],
  },
  'Low rank': { Factorisations: ['factorisation'], 'Allocations of ranks': ['rank_allocation'] },
  'Output kinds': { '': ['output'] },
};

/** Sections that tell of a kind of recipe as a whole. */
const KINDS: Record<string, string> = {
  Structures: 'kind-structured',
  'Single weights': 'kind-sparse',
  'Low rank': 'kind-low_rank',
};

/** A heading in the table of contents. */
interface Entry {
  depth: number;
  id: string;
  title: string;
}

/** The page of methods: what stands in its body, and what leads there. */
export interface MethodsPage {
  body: string;
  contents: string;
  /** Every anchor, as `menu-name` for what a menu offers. */
  anchors: string[];
}

/** Sets `$$ … $$` as formulas. */
const formulas: TokenizerAndRendererExtension = {
  name: 'formula',
  level: 'block',
  start: (source) => /^\$\$/m.exec(source)?.index,
  tokenizer(source) {
    const [raw, text] = /^\$\$\n([\s\S]+?)\n\$\$(?:\n+|$)/.exec(source) ?? [];
    return raw === undefined || text === undefined ? undefined : { type: 'formula', raw, text };
  },
  renderer: ({ text }) => `<div class="formula" tabindex="0">${formula(String(text), true)}</div>\n`,
};

/** Renders docs/METHODS.md: formulas set, with an anchor for each name that a menu of the recipe form offers. */
export function renderMethods(markdown: string): MethodsPage {
  const marked = new Marked({ extensions: [formulas] });
  const tokens = marked.lexer(markdown);
  const anchors = new Set<string>();
  const entries: Entry[] = [];
  let [section, below] = ['', ''];

  /** Puts anchors before the first word of a block; the first mention of a name has it. */
  const mark = (block: Block, ids: readonly string[]) => {
    const fresh = ids.filter((id) => !anchors.has(id) && anchors.add(id));
    const raw = fresh.map((id) => `<span class="anchor" id="${id}"></span>`).join('');
    if (raw !== '') block.tokens?.unshift({ type: 'html', raw, text: raw });
  };
  const name = (block: Block, names: readonly string[]) => {
    mark(
      block,
      menusOf(section, below).flatMap((menu) => names.map((one) => `${menu}-${one}`)),
    );
  };

  for (const [place, token] of tokens.entries()) {
    if (token.type === 'heading') {
      const { depth, text } = token as Tokens.Heading;
      if (depth === 2) [section, below] = [text, ''];
      if (depth === 3) below = text;
      const id = slug(depth === 3 ? `${section} ${text}` : text);
      if (depth > 1) entries.push({ depth, id, title: marked.parseInline(text, { async: false }) });
      mark(token, [id, ...(KINDS[text] === undefined ? [] : [KINDS[text]])]);
      // Of names that a heading lists, those that have an item below are anchored there.
      const items = itemsAfter(tokens, place);
      if (depth === 3)
        name(
          token,
          codes(token).filter((one) => !items.has(one)),
        );
    } else {
      for (const block of blocksOf(token)) name(block, leading(block));
    }
  }
  const body = marked.parser(tokens).replaceAll('<th>', '<th scope="col">');
  const scroller = '<div class="scroller" tabindex="0" role="region" aria-label="Table"><table>';
  return {
    body: body.replaceAll('<table>', scroller).replaceAll('</table>', '</table></div>'),
    contents: contentsOf(entries),
    anchors: [...anchors],
  };
}

/** A token that holds words. */
type Block = Pick<Token, 'type'> & { tokens?: Token[] };

/** Blocks that can tell of a method each: a paragraph, the items of a list, the rows of a table by their first cell. */
function blocksOf(token: Token): Block[] {
  if (token.type === 'paragraph') return [token];
  if (token.type === 'list') return (token as Tokens.List).items.flatMap(({ tokens }) => tokens.slice(0, 1));
  if (token.type === 'table') {
    return (token as Tokens.Table).rows.flatMap((row) =>
      row.slice(0, 1).map(({ tokens }) => ({ type: 'cell', tokens })),
    );
  }
  return [];
}

/** The name that a block begins with, where it is one. */
function leading({ tokens }: Block): string[] {
  const [first] = tokens ?? [];
  return first?.type === 'codespan' ? namesIn([first]) : [];
}

function codes({ tokens }: Block): string[] {
  return namesIn((tokens ?? []).filter(({ type }) => type === 'codespan'));
}

/** Names of methods, which fields and values in quotes are not. */
function namesIn(tokens: readonly Token[]): string[] {
  return tokens.map((token) => (token as Tokens.Codespan).text).filter((text) => /^[\w:]+$/.test(text));
}

/** Names that blocks begin with, from behind a heading to the next one. */
function itemsAfter(tokens: readonly Token[], heading: number): Set<string> {
  const rest = tokens.slice(heading + 1);
  const end = rest.findIndex(({ type }) => type === 'heading');
  return new Set(
    rest
      .slice(0, end < 0 ? undefined : end)
      .flatMap(blocksOf)
      .flatMap(leading),
  );
}

function menusOf(section: string, below: string): string[] {
  const menus = Object.entries(MENUS[section] ?? {});
  return menus.find(([start]) => below.startsWith(start))?.[1] ?? [];
}

function slug(title: string): string {
  return title
    .toLowerCase()
    .replaceAll(/[^\w]+/g, '-')
    .replaceAll(/^-|-$/g, '');
}

/** Links to all headings, those of the third level below those of the second. */
function contentsOf(entries: readonly Entry[]): string {
  const link = ({ id, title }: Entry) => `<a href="#${id}">${title.replace(/: .*/, '')}</a>`;
  const groups = entries.filter(({ depth }) => depth === 2).map((head) => ({ head, below: [] as Entry[] }));
  let group = -1;
  for (const entry of entries) {
    if (entry.depth === 2) group += 1;
    else groups[group]?.below.push(entry);
  }
  const list = (below: Entry[]) =>
    below.length === 0 ? '' : `<ul>${below.map((one) => `<li>${link(one)}</li>`).join('')}</ul>`;
  return `<ul>${groups.map(({ head, below }) => `<li>${link(head)}${list(below)}</li>`).join('')}</ul>`;
}

/** Fills methods.html from docs/METHODS.md when the site is built. */
export function methodsPage(source: string): Plugin {
  return {
    name: 'coppice:methods',
    transformIndexHtml: {
      order: 'pre',
      handler(html, { path }) {
        if (!path.endsWith('/methods.html')) return html;
        const { body, contents } = renderMethods(readFileSync(source, 'utf8'));
        return html.replace('<!-- contents -->', () => contents).replace('<!-- methods -->', () => body);
      },
    },
  };
}
