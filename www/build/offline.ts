import { createHash } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { build } from 'rolldown';
import type { Plugin } from 'vite';
import type { SiteFile } from '../src/offline/files.ts';
import { demoFileList, digestOf, pageFileList } from './site-files.ts';

/** Fixed names, which the browser looks for: the page itself fetches none of them. */
const BESIDE = ['manifest.webmanifest', 'icons/icon-192.png', 'icons/icon-512.png', 'icons/maskable-512.png'];

/** Makes the site installable, and writes `service-worker.js` with the list of all files that it keeps. */
export function offline(root: string): Plugin {
  let out = '';
  return {
    name: 'coppice:offline',
    configResolved: (config) => void (out = resolve(config.root, config.build.outDir)),
    generateBundle() {
      for (const fileName of BESIDE)
        this.emitFile({ type: 'asset', fileName, source: readFileSync(resolve(root, fileName)) });
    },
    closeBundle: {
      order: 'post',
      async handler() {
        const all = pageFileList(out);
        checkNames(out, all);
        // Icons are the system's once the page is installed.
        const files = all.filter(({ path }) => !path.startsWith('icons/'));
        const entry = resolve(root, 'src/offline/service-worker.ts');
        const code = await bundle(entry, { 'virtual:demo-files': { DEMO_FILES: demoFileList(root) } }, files);
        writeFileSync(resolve(out, 'service-worker.js'), code);
      },
    },
  };
}

type Constants = Record<string, Record<string, unknown>>;

async function bundle(entry: string, constants: Constants, files: readonly SiteFile[]): Promise<string> {
  const once = async (VERSION: string) => {
    const modules: Constants = { ...constants, 'virtual:site': { FILES: files, VERSION } };
    const { output } = await build({
      input: entry,
      platform: 'browser',
      write: false,
      tsconfig: false,
      plugins: [
        {
          name: 'coppice:constants',
          resolveId: (id) => (id in modules ? `\0${id}` : undefined),
          load: (id) =>
            Object.entries(modules[id.slice(1)] ?? {})
              .map(([name, value]) => `export const ${name} = ${JSON.stringify(value)};`)
              .join('\n') || undefined,
        },
      ],
      output: { format: 'iife', minify: true },
    });
    return output[0].code;
  };
  // Another service worker is another version too.
  const code = createHash('sha256')
    .update(await once(''))
    .digest('hex');
  return once(digestOf(files, code));
}

/** That versions never mix rests on names: what a page loads has the digest of its content in its name. */
function checkNames(out: string, files: readonly SiteFile[]): void {
  const paths = files.map(({ path }) => path);
  const named = paths.filter((path) => /^assets\/.+-[\w-]{8}\.\w+$/.test(path));
  const documents = paths.filter((path) => path.endsWith('.html'));
  const others = paths.filter((path) => ![...named, ...documents, ...BESIDE].includes(path));
  for (const path of [...documents, ...named.filter((one) => /\.(js|css)$/.test(one))]) {
    const text = readFileSync(resolve(out, path), 'utf8');
    const loaded = others.find((one) => new RegExp(`["'\`](\\.{1,2}/)+${one}["'\`]`).test(text));
    if (loaded) throw new Error(`${path} loads ${loaded}, whose name has no digest: the page could mix two versions.`);
  }
}
