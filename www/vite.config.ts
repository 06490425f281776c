import { resolve } from 'node:path';
import { defineConfig } from 'vite';
import { demoFiles } from './build/demo-files.ts';
import { formulasModule } from './build/formulas.ts';
import { labSheetCheck } from './build/lab-sheet.ts';
import { paintAfterStart } from './build/first-paint.ts';
import { methodsPage } from './build/methods.ts';
import { offline } from './build/offline.ts';
import { workerSource } from './build/worker-source.ts';

const here = import.meta.dirname;

export default defineConfig(({ mode }) => {
  // Mode `mock` builds the page on a stand-in for the engine, for tests of states that a healthy engine never shows.
  const mock = mode === 'mock';
  const engine = resolve(here, mock ? '../tests/browser/mock/engine.js' : 'src/wasm/coppice.js');
  const wasm = resolve(here, mock ? '../tests/browser/mock/empty.wasm' : 'src/wasm/coppice_bg.wasm');
  return {
    root: here,
    base: './',
    publicDir: false,
    plugins: [
      workerSource(resolve(here, 'src/worker/worker.ts'), engine),
      demoFiles(here),
      formulasModule(resolve(here, 'src/page/learn/formulas.json')),
      labSheetCheck(resolve(here, '../docs/LAB.md')),
      paintAfterStart(),
      methodsPage(resolve(here, '../docs/METHODS.md')),
      offline(here),
    ],
    resolve: { alias: [{ find: /^core\.wasm(?=\?url$)/, replacement: wasm }] },
    build: {
      outDir: '../dist',
      emptyOutDir: true,
      target: 'es2023',
      modulePreload: false,
      assetsInlineLimit: 0,
      rolldownOptions: {
        input: {
          index: resolve(here, 'index.html'),
          methods: resolve(here, 'methods.html'),
          coppice: resolve(here, 'src/lib/public.ts'),
        },
        preserveEntrySignatures: 'allow-extension',
        output: { entryFileNames: (chunk) => (chunk.name === 'coppice' ? 'coppice.js' : 'assets/[name]-[hash].js') },
      },
    },
  };
});
