/**
 * The service worker: keeps the page, and answers with what is kept. It writes only when it is installed or asked, fetches only files of the
 * page's own folder, and leaves every other request to the browser, which holds it to the page's content security policy.
 *
 * All but documents have a digest of their content in their names, and a document names all that it loads. So a page never mixes two
 * versions, whichever service worker answers it: a new one takes over at once, and the next load gets the new document.
 */
import { DEMO_FILES } from 'virtual:demo-files';
import { FILES, VERSION } from 'virtual:site';
import { cachePrefix, demoCache, keepFiles, noteCache, pageCache } from './files.ts';
import { rangeOf } from './range.ts';

declare const self: ServiceWorkerScope;

const folder = self.registration.scope;
const page = pageCache(folder, VERSION);
const demos = Object.entries(DEMO_FILES).map(([id, files]) => demoCache(folder, id, files));
const paths = new Set([...FILES, ...Object.values(DEMO_FILES).flatMap(({ files }) => files)].map(({ path }) => path));

self.addEventListener('install', (event) => {
  event.waitUntil(keepFiles(page, folder, FILES).then(() => self.skipWaiting()));
});

self.addEventListener('activate', (event) => {
  // The page of the first load has files to come, too.
  event.waitUntil(Promise.all([self.clients.claim(), removeOld([])]));
});

// Asked where the page is to be kept and this worker runs already, so that none is installed: the answer is what went wrong, or nothing.
self.addEventListener('message', (event) => {
  const answer = (why?: string) => event.ports[0]?.postMessage(why);
  const kept = keepFiles(page, folder, FILES);
  event.waitUntil(
    kept.then(
      () => answer(),
      (error: unknown) => answer(error instanceof Error ? error.message : String(error)),
    ),
  );
});

self.addEventListener('fetch', (event) => {
  const { request } = event;
  const path = pathOf(request);
  if (path === undefined) return;
  if (request.mode === 'navigate') event.waitUntil(removeOld([event.clientId, event.resultingClientId]));
  event.respondWith(answer(request, path));
});

/** The path of a file of the page that a request asks for; nothing where it asks for anything else. */
function pathOf(request: Request): string | undefined {
  if (request.method !== 'GET' || !request.url.startsWith(folder)) return undefined;
  const path = decodeURI(new URL(request.url).pathname.slice(new URL(folder).pathname.length));
  if (request.mode === 'navigate') {
    // Some hosts leave out the ending.
    return [path, `${path}.html`].find((name) => paths.has(name)) ?? (path === '' ? 'index.html' : undefined);
  }
  // An older page, still open, asks for parts of its own version.
  return paths.has(path) || path.startsWith('assets/') ? path : undefined;
}

async function answer(request: Request, path: string): Promise<Response> {
  const kept = await find(path);
  if (kept) return rangeOf(kept, request.headers.get('range'));
  // A navigation is redirected by the browser. Nothing else is sent elsewhere from here: this worker has no policy of its own.
  return request.mode === 'navigate' ? fetch(request) : fetch(request, { redirect: 'error' });
}

async function find(path: string): Promise<Response | undefined> {
  const address = new URL(path, folder).href;
  for (const name of [page, ...demos, ...(await olderPages())]) {
    const response = (await caches.has(name)) ? await (await caches.open(name)).match(address) : undefined;
    if (response) return response;
  }
  return undefined;
}

async function olderPages(): Promise<string[]> {
  return (await caches.keys()).filter((name) => name.startsWith(pageCache(folder)) && name !== page);
}

/** Removes what belongs to other versions, once no page is open that may be of one; those that are on their way in or out do not count. */
async function removeOld(leaving: readonly string[]): Promise<void> {
  const open = await self.clients.matchAll({ type: 'window', includeUncontrolled: true });
  if (open.some(({ id }) => !leaving.includes(id))) return;
  const wanted = new Set([page, ...demos, noteCache(folder)]);
  const old = (await caches.keys()).filter((name) => name.startsWith(cachePrefix(folder)) && !wanted.has(name));
  await Promise.all(old.map((name) => caches.delete(name)));
}
