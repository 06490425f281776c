import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { relative, resolve, sep } from 'node:path';
import demos from '../src/page/demos.json' with { type: 'json' };
import type { DemoFiles, SiteFile } from '../src/offline/files.ts';

/** Paths of a demo model's files and of its texts. */
export function pathsOf(demo: (typeof demos)[number]): string[] {
  return [...demo.files.map((name) => `${demo.folder}/${name}`), demo.calibration.path, demo.evaluation.path];
}

/** Each demo model's files, with sizes and digests. */
export function demoFileList(root: string): Record<string, DemoFiles> {
  return Object.fromEntries(
    demos.map((demo) => {
      const files = pathsOf(demo).map((path) => siteFile(root, path));
      const bytes = files.reduce((sum, file) => sum + file.bytes, 0);
      return [demo.id, { files, bytes, digest: digestOf(files) }];
    }),
  );
}

/** All files of a built site but the demo models, in the order of their paths. */
export function pageFileList(site: string): SiteFile[] {
  return readdirSync(site, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => relative(site, resolve(entry.parentPath, entry.name)).split(sep).join('/'))
    .filter((path) => !/^(models|data)\/|^service-worker\.js$/.test(path))
    .sort()
    .map((path) => siteFile(site, path));
}

/** A short digest over digests. */
export function digestOf(files: readonly SiteFile[], and = ''): string {
  const text = JSON.stringify(files.map(({ path, digest }) => [path, digest])) + and;
  return createHash('sha256').update(text).digest('hex').slice(0, 16);
}

function siteFile(root: string, path: string): SiteFile {
  const bytes = readFileSync(resolve(root, path));
  return { path, bytes: bytes.length, digest: createHash('sha256').update(bytes).digest('hex') };
}
