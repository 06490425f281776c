import { cpSync, mkdirSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import type { Plugin } from 'vite';
import demos from '../src/page/demos.json' with { type: 'json' };
import { demoFileList, pathsOf } from './site-files.ts';

const NAME = 'virtual:demo-files';

/**
 * Puts the demo models and their texts beside the page; they are fetched from the page's own origin only. Code knows their sizes and
 * digests from `virtual:demo-files`.
 */
export function demoFiles(root: string): Plugin {
  let out = '';
  return {
    name: 'coppice:demo-files',
    configResolved: (config) => void (out = resolve(config.root, config.build.outDir)),
    resolveId: (id) => (id === NAME ? `\0${NAME}` : undefined),
    load: (id) => (id === `\0${NAME}` ? `export const DEMO_FILES = ${JSON.stringify(demoFileList(root))};` : undefined),
    closeBundle() {
      for (const path of demos.flatMap(pathsOf)) {
        mkdirSync(dirname(resolve(out, path)), { recursive: true });
        cpSync(resolve(root, path), resolve(out, path));
      }
    },
  };
}
