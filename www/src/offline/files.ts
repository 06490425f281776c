/** A file of the site as it was built; its path is relative to the folder of the page. */
export interface SiteFile {
  path: string;
  bytes: number;
  /** SHA-256, in hexadecimal. */
  digest: string;
}

/** A demo model with its texts. */
export interface DemoFiles {
  files: readonly SiteFile[];
  bytes: number;
  /** Over all of its files, so that a model of an older site is never taken for this one. */
  digest: string;
}

/** Caches belong to a whole origin, on which several copies of the page may lie: names begin with the folder of the page. */
export function cachePrefix(folder: string): string {
  return `coppice ${new URL(folder).pathname} `;
}

/** The cache that holds the page itself, in one version. */
export function pageCache(folder: string, version = ''): string {
  return `${cachePrefix(folder)}page ${version}`;
}

/** The cache that holds a demo model with its texts. */
export function demoCache(folder: string, id: string, { digest }: DemoFiles): string {
  return `${cachePrefix(folder)}demo ${id} ${digest}`;
}

/** An empty cache that says that the person wants nothing kept: a page can know that at a later visit in no other way. */
export function noteCache(folder: string): string {
  return `${cachePrefix(folder)}keeps nothing`;
}

/**
 * Fetches files and keeps them, each under its address in the page's folder. A file that is not as it was built is refused, so that
 * a site that is being replaced, or a connection that breaks off, never leaves a mixture behind.
 */
export async function keepFiles(name: string, folder: string, files: readonly SiteFile[]): Promise<void> {
  const cache = await caches.open(name);
  try {
    await Promise.all(
      files.map(async (file) => {
        await cache.put(new URL(file.path, folder).href, await fetchAsBuilt(folder, file));
      }),
    );
  } catch (error) {
    await caches.delete(name);
    throw error;
  }
}

async function fetchAsBuilt(folder: string, file: SiteFile): Promise<Response> {
  // What lies in the browser's HTTP cache already is taken from there, unless it turns out to be another version.
  let [response, body] = await fetchWhole(folder, file, 'force-cache');
  if (!(await isAsBuilt(body, file))) [response, body] = await fetchWhole(folder, file, 'reload');
  if (!(await isAsBuilt(body, file))) throw new Error(`${file.path} is not what was built`);
  // A response of its own: one that was redirected answers no navigation, and lengths are of what was sent, perhaps compressed.
  const headers = new Headers(response.headers);
  for (const name of ['content-encoding', 'transfer-encoding']) headers.delete(name);
  headers.set('content-length', String(body.byteLength));
  if (file.path.endsWith('.wasm')) headers.set('content-type', 'application/wasm');
  return new Response(body, { headers });
}

async function fetchWhole(folder: string, { path }: SiteFile, cache: RequestCache): Promise<[Response, ArrayBuffer]> {
  const response = await fetch(new URL(path, folder), { cache, credentials: 'same-origin' });
  if (!response.ok) throw new Error(`the server answered ${response.status} for ${path}`);
  return [response, await response.arrayBuffer()];
}

async function isAsBuilt(body: ArrayBuffer, { bytes, digest }: SiteFile): Promise<boolean> {
  if (body.byteLength !== bytes) return false;
  const found = new Uint8Array(await crypto.subtle.digest('SHA-256', body));
  return digest === Array.from(found, (byte) => byte.toString(16).padStart(2, '0')).join('');
}
