import type { Catalog, Choice, DeviceInfo, Inspection, NamedBlob, PruneResult, Recipe } from '../../lib/coppice.ts';
import type { Demo } from '../demos.ts';
import { isDecoder } from '../kind.ts';
import { WORDS } from './words.ts';

/** A model that attempts were made on. */
export interface Subject {
  /** The same for the same model, however often it was chosen. */
  key: string;
  name: string;
  files: readonly NamedBlob[];
  inspection: Inspection;
  /** Text that a decoder of this kind goes on from. */
  prompt: string;
}

/** How fast the dense and the pruned model were in turns on one device. */
export interface Speed {
  /** What was counted. */
  what: 'tokens' | 'sentences';
  /** How many of them a second: the median. */
  dense: number;
  pruned: number;
  /** How many times as fast the pruned one is: the median over pairs of times that followed each other, so that a machine that slows down
   * slows both. */
  ratio: number;
  rounds: number;
  device: string;
}

/** A finished run. Its files are references: to ranges of the model's own files, and to what the browser keeps of the changed tensors. */
export interface Attempt {
  readonly id: number;
  readonly subject: Subject;
  /** Another one with the same tensors once it was measured. */
  result: PruneResult;
  /** What it was compared on, to look single sentences up in. */
  readonly evaluation: Blob | undefined;
  /** When the run ended. */
  readonly made: Date;
  name: string;
  speed?: Speed;
}

const PROMPT = 'Once upon a time';

/** The model that was chosen, as attempts refer to it. */
export function subjectOf(
  name: string,
  files: readonly NamedBlob[],
  inspection: Inspection,
  demo: Demo | undefined,
): Subject {
  // A demo is fetched anew each time, so the dates of its files say nothing.
  const stamp = (file: NamedBlob) => [file.name, file.size, 'lastModified' in file ? file.lastModified : 0];
  const key = demo ? `demo ${demo.id}` : JSON.stringify([name, ...files.map(stamp).sort()]);
  return { key, name, files, inspection, prompt: demo?.prompt ?? PROMPT };
}

/** What a model without a head for texts or classes cannot do is left out of the page. */
export function taskOf({ inspection }: Subject): 'decoder' | 'classifier' | 'features' {
  if (isDecoder(inspection)) return 'decoder';
  return inspection.head === 'classifier' ? 'classifier' : 'features';
}

/** Bytes that an attempt's files have when they are saved. */
export function bytesOf({ result }: Attempt): number {
  return result.files.reduce((sum, file) => sum + file.size, 0);
}

/** A device as a person reads it. */
export function nameOfDevice({ kind, name }: DeviceInfo): string {
  return `${kind === 'gpu' ? 'GPU' : 'CPU'} · ${name}`;
}

/** A name by what the recipe does, `FLAP + LIAR, 50 %`. */
export function nameOf({ method }: Recipe, catalog: Catalog | undefined): string {
  const title = (list: readonly Choice[] | undefined, name: string) =>
    (list?.find((choice) => choice.name === name)?.title ?? name).replace(/ \(.*\)$/, '');
  const repaired = (reconstruction: string, aware: boolean) =>
    reconstruction === 'none'
      ? undefined
      : title(catalog?.reconstructions, reconstruction) + (aware ? WORDS.aware : '');
  const parts = (() => {
    switch (method.kind) {
      case 'structured':
        return [title(catalog?.criteria, method.criterion), repaired(method.reconstruction, method.error_aware)];
      case 'plan':
        return [WORDS.plan, repaired(method.reconstruction, method.error_aware)];
      case 'sparse': {
        const updated = method.update === 'none' ? undefined : title(catalog?.updates, method.update);
        const pattern = method.pattern === 'unstructured' ? undefined : method.pattern;
        // SparseGPT is a criterion and an update of one name.
        return [...new Set([title(catalog?.weight_criteria, method.criterion), updated, pattern])];
      }
      case 'low_rank':
        return [
          `${title(catalog?.factorisations, method.factorisation)} ${WORDS.ranks}`,
          method.joint ? WORDS.joint : undefined,
          method.sparse ? WORDS.singles : undefined,
        ];
    }
  })();
  const what = parts.filter((part) => part !== undefined).join(' + ');
  return 'ratio' in method ? `${what}, ${WORDS.share(method.ratio)}` : what;
}
