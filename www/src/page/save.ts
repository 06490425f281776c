import { downloadZip, predictLength } from 'client-zip';
import { download } from './dom.ts';
import { WORDS as ALL } from './words.ts';

const { result: WORDS } = ALL;

/** Whether the browser can write into a folder that the person picks. */
export const canPickFolder = 'showDirectoryPicker' in window;

/**
 * Streams the files into a new folder within one that the person picks; an existing folder is never touched.
 * Gives back the new folder's name, or nothing where the person changed their mind.
 */
export async function saveToFolder(files: readonly File[], name: string): Promise<string | undefined> {
  let parent: FileSystemDirectoryHandle;
  try {
    parent = await window.showDirectoryPicker({ mode: 'readwrite' });
  } catch (error) {
    if (error instanceof DOMException && error.name === 'AbortError') return undefined;
    throw error;
  }
  const free = await freeName(parent, name);
  const folder = await parent.getDirectoryHandle(free, { create: true });
  try {
    for (const file of files) {
      const target = await folder.getFileHandle(file.name, { create: true });
      await file.stream().pipeTo(await target.createWritable());
    }
  } catch (error) {
    await parent.removeEntry(free, { recursive: true });
    const why = error instanceof Error ? error.message : String(error);
    throw new Error(WORDS.folderFailed(why), { cause: error });
  }
  return free;
}

async function freeName(parent: FileSystemDirectoryHandle, name: string): Promise<string> {
  const taken = new Set<string>();
  for await (const entry of parent.keys()) taken.add(entry);
  for (let number = 1; ; number++) {
    const candidate = number === 1 ? name : `${name}-${number}`;
    if (!taken.has(candidate)) return candidate;
  }
}

/** Downloads the files as one zip, which the browser assembles outside of the page's memory. */
export async function saveAsZip(files: readonly File[], name: string): Promise<void> {
  const entries = files.map((file) => ({ name: `${name}/${file.name}`, input: file }));
  const zip = await downloadZip(entries).blob();
  const expected = predictLength(files.map((file) => ({ name: `${name}/${file.name}`, size: file.size })));
  if (BigInt(zip.size) !== expected) throw new Error(WORDS.zipFailed);
  download(zip, `${name}.zip`);
}
