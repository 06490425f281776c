import type { NamedBlob } from '../lib/types.ts';
import { WORDS } from './words.ts';

/** A file and where it lay in what the person gave. */
interface Found {
  path: string;
  file: File;
}

/** What the person gave: the model's folder name and the files that lie directly in it. */
export interface ModelFiles {
  name: string;
  files: NamedBlob[];
}

/** Files of a drop, folders walked. Must be called within the drop event: its items are gone afterwards. */
export async function fromDrop(transfer: DataTransfer): Promise<ModelFiles> {
  const entries = Array.from(transfer.items, (item) => item.webkitGetAsEntry()).filter((entry) => entry !== null);
  if (entries.length === 0) return choose(Array.from(transfer.files, (file) => ({ path: file.name, file })));
  return choose((await Promise.all(entries.map((entry) => walk(entry)))).flat());
}

/** Files of a file input, of the folder kind or not. */
export function fromInput(input: HTMLInputElement): ModelFiles {
  return choose(Array.from(input.files ?? [], (file) => ({ path: file.webkitRelativePath || file.name, file })));
}

async function walk(entry: FileSystemEntry): Promise<Found[]> {
  const path = entry.fullPath.replace(/^\//, '');
  if (entry.isFile) {
    const file = await new Promise<File>((resolve, reject) => {
      (entry as FileSystemFileEntry).file(resolve, reject);
    });
    return [{ path, file }];
  }
  // Version control and caches hold thousands of files and nothing of the model.
  if (entry.name.startsWith('.')) return [];
  const reader = (entry as FileSystemDirectoryEntry).createReader();
  const children: FileSystemEntry[] = [];
  for (;;) {
    // A reader gives its entries in batches, and an empty one at the end.
    const batch = await new Promise<FileSystemEntry[]>((resolve, reject) => {
      reader.readEntries(resolve, reject);
    });
    if (batch.length === 0) break;
    children.push(...batch);
  }
  return (await Promise.all(children.map((child) => walk(child)))).flat();
}

/** The shallowest folder that looks like a model, so that `onnx/config.json` below it does not stand in its way. */
function choose(found: Found[]): ModelFiles {
  if (found.length === 0) throw new Error(WORDS.model.noFiles);
  const folderOf = (path: string) => path.slice(0, path.lastIndexOf('/') + 1);
  const depth = (path: string) => path.split('/').length;
  const marks = found.filter(({ path }) => path.endsWith('.safetensors') || /(^|\/)config\.json$/.test(path));
  const [first] = (marks.length > 0 ? marks : found).toSorted((a, b) => depth(a.path) - depth(b.path));
  const folder = folderOf(first?.path ?? '');
  const files = found.filter(({ path }) => folderOf(path) === folder).map(({ file }) => file);
  return { name: folder.split('/').at(-2) ?? 'model', files };
}
