// What the page says, read from its source, for tests that look for one language in another.
import { readdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';

const require = createRequire(new URL('../../www/package.json', import.meta.url));
const ts = require('typescript');
const { runnerImport } = await import(require.resolve('vite'));

const page = new URL('../../www/src/page/', import.meta.url).pathname;

/** Imports a module of the page's source. */
export async function sourceOf(name) {
  return (await runnerImport(page + name)).module;
}

/** The catalogues of a language, by the paths of their files below the page's source. */
export function cataloguesOf(language) {
  return readdirSync(page, { recursive: true }).filter((name) => name.endsWith(`words/${language}.ts`));
}

/** The stretches of text in a language's catalogues that have at least so many letters: a sentence with a number in it is two. */
export function stretches(language, letters = 12) {
  const found = new Set();
  const add = (text) => {
    if ((text.match(/\p{L}/gu) ?? []).length >= letters) found.add(text.trim());
  };
  const visit = (node) => {
    // What modules and fields are called, or a type allows, nobody reads.
    if (ts.isImportDeclaration(node) || ts.isTypeNode(node)) return;
    if (ts.isStringLiteral(node) && !(ts.isPropertyAssignment(node.parent) && node.parent.name === node))
      add(node.text);
    if (ts.isNoSubstitutionTemplateLiteral(node) || ts.isTemplateHead(node) || ts.isTemplateMiddleOrTemplateTail(node))
      add(node.text);
    ts.forEachChild(node, visit);
  };
  for (const name of cataloguesOf(language)) {
    const text = readFileSync(page + name, 'utf8');
    visit(ts.createSourceFile(name, text, ts.ScriptTarget.Latest, true));
  }
  return found;
}

/** What index.html says: texts by what names them, and the words that nothing names. */
export function textsOfHtml() {
  let html = readFileSync(new URL('../../www/index.html', import.meta.url), 'utf8').replace(/<!--.*?-->/gs, '');
  const named = [];
  for (const [, tag] of html.matchAll(/<(\w+[^>]*)>/g))
    for (const [, attribute, key] of tag.matchAll(/data-words-(\w+)="([^"]+)"/g)) {
      const name = attribute === 'label' ? 'aria-label' : attribute;
      const [, value] = new RegExp(`\\s${name}="([^"]*)"`).exec(tag) ?? [];
      named.push([key, value]);
    }
  const unnamed = [...html.matchAll(/<(\w+[^>]*)>/g)].flatMap(([, tag]) =>
    [...tag.matchAll(/\s(aria-label|title|placeholder|alt)="([^"]+)"/g)]
      .filter(([, name]) => !tag.includes(`data-words-${name.replace('aria-', '')}=`))
      .map(([, , value]) => value),
  );
  // Named elements hold text, code and strong words, and no element of their own kind.
  html = html.replace(/<(\w+)\b[^>]*\sdata-words="([^"]+)"[^>]*>(.*?)<\/\1\s*>/gs, (_, tag, key, inside) => {
    named.push([key, plain(inside)]);
    return '';
  });
  const rest = html
    .replace(/<(script|noscript|textarea)\b.*?<\/\1>/gs, '')
    .split(/<[^>]*>/)
    .map(plain);
  return { named, unnamed: [...unnamed, ...rest.filter((text) => /\p{L}{2}/u.test(text))] };
}

function plain(html) {
  return html
    .replace(/<\/?code>/g, '`')
    .replace(/<\/?strong>/g, '**')
    .replace(/\s+/g, ' ')
    .trim();
}
