/** Where runs put what does not fit in memory: a folder of the origin's private file system. The core names it so too. */
const SCRATCH = 'coppice-scratch';

async function files(): Promise<[FileSystemDirectoryHandle, FileSystemFileHandle[]] | undefined> {
  try {
    const root = await navigator.storage.getDirectory();
    const folder = await root.getDirectoryHandle(SCRATCH);
    const found: FileSystemFileHandle[] = [];
    for await (const handle of folder.values()) if (handle.kind === 'file') found.push(handle);
    return [folder, found];
  } catch {
    // There is no such folder, or this browser, or window, has no private files.
    return undefined;
  }
}

/** Bytes of scratch; nothing where there is none. */
export async function scratchBytes(): Promise<number | undefined> {
  const [, found] = (await files()) ?? [];
  if (!found || found.length === 0) return undefined;
  const sizes = await Promise.all(
    found.map(async (handle) => (await handle.getFile().catch(() => undefined))?.size ?? 0),
  );
  return sizes.reduce((sum, size) => sum + size, 0);
}

/** Removes scratch that no run uses; false where one does. */
export async function clearScratch(): Promise<boolean> {
  const [folder, found] = (await files()) ?? [];
  if (!folder || !found) return true;
  const removed = await Promise.allSettled(found.map(({ name }) => folder.removeEntry(name)));
  const all = removed.every(({ status }) => status === 'fulfilled');
  if (all) await (await navigator.storage.getDirectory()).removeEntry(SCRATCH).catch(() => undefined);
  return all;
}
