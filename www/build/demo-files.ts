import { cpSync, mkdirSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import type { Plugin } from 'vite';
import demos from '../src/page/demos.json' with { type: 'json' };

/** Puts the demo models and their texts beside the page; they are fetched from the page's own origin only. */
export function demoFiles(root: string): Plugin {
  let out = '';
  return {
    name: 'coppice:demo-files',
    configResolved: (config) => void (out = resolve(config.root, config.build.outDir)),
    closeBundle() {
      const paths = demos.flatMap((demo) => [
        ...demo.files.map((name) => `${demo.folder}/${name}`),
        demo.calibration.path,
        demo.evaluation.path,
      ]);
      for (const path of paths) {
        mkdirSync(dirname(resolve(out, path)), { recursive: true });
        cpSync(resolve(root, path), resolve(out, path));
      }
    },
  };
}
