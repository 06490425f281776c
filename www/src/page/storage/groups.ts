import { DEMO_FILES } from 'virtual:demo-files';
import { type DemoFiles, demoCache, keepFiles } from '../../offline/files.ts';
import { type Demo, demos } from '../demos.ts';
import { clearScratch, scratchBytes } from './scratch.ts';
import { cachedBytes, clearPage, FOLDER, isRefused, keepPage, pageBytes, refuse } from './shell.ts';
import { WORDS as STEPS } from '../words.ts';
import { WORDS } from './words.ts';

/** One thing that the browser may keep for the page. */
export interface Group {
  id: string;
  title: string;
  use: string;
  /** Bytes that are kept; nothing where it is not there. */
  size: () => Promise<number | undefined>;
  /** Keeps it, and the sentence that says so; absent where a person cannot ask for it. */
  keep?: { bytes: number; done: string; run: () => Promise<void> };
  /** Clears it, and gives the sentence that says how it went. */
  clear: () => Promise<string>;
}

const there = (bytes: number) => (bytes > 0 ? bytes : undefined);

const page: Group = {
  id: 'page',
  title: WORDS.page,
  use: WORDS.pageUse,
  size: async () => there(await pageBytes()),
  keep: { bytes: 0, done: WORDS.keptPage, run: keepPage },
  clear: async () => {
    await clearPage();
    return WORDS.clearedPage;
  },
};

function demoGroup(id: Demo['id'], files: DemoFiles): Group {
  const title = STEPS.model.demos[id];
  const name = demoCache(FOLDER, id, files);
  return {
    id,
    title: WORDS.demo(title),
    use: WORDS.demoUse,
    size: async () => there(await cachedBytes(name)),
    keep: {
      bytes: files.bytes,
      done: WORDS.kept(title),
      run: async () => {
        if ((await cachedBytes(name)) < files.bytes) await keepFiles(name, FOLDER, files.files);
      },
    },
    clear: async () => {
      await caches.delete(name);
      return WORDS.cleared(WORDS.demo(title));
    },
  };
}

/** What the browser keeps through caches, where the page may have any. */
export const CACHED: readonly Group[] = [
  page,
  ...demos.flatMap((demo) => {
    const files = DEMO_FILES[demo.id];
    return files ? [demoGroup(demo.id, files)] : [];
  }),
];

/** The demo models among them. */
export const DEMOS: readonly Group[] = CACHED.filter((group) => group !== page);

/** The note that nothing is to be kept. */
export const NOTE: Group = {
  id: 'note',
  title: WORDS.note,
  use: WORDS.noteUse,
  size: async () => ((await isRefused()) ? 0 : undefined),
  clear: async () => {
    await refuse(false);
    return WORDS.cleared(WORDS.note);
  },
};

/** What runs leave on disk. */
export const SCRATCH: Group = {
  id: 'scratch',
  title: WORDS.scratch,
  use: WORDS.scratchUse,
  size: scratchBytes,
  clear: async () => ((await clearScratch()) ? WORDS.cleared(WORDS.scratch) : WORDS.scratchInUse),
};
