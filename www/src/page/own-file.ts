import { WORDS as ALL } from './words.ts';

const { files: WORDS } = ALL;

/** Fetches a file of the page's own; what keeps it away is told in one sentence. */
export async function ownFile(path: string): Promise<Blob> {
  let response: Response;
  try {
    response = await fetch(path);
  } catch {
    throw new Error(WORDS.outOfReach(path));
  }
  if (!response.ok) throw new Error(WORDS.notFetched(path, response.status));
  return response.blob();
}
