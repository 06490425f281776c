import { cachePrefix, noteCache, pageCache } from '../../offline/files.ts';
import { WORDS } from './words.ts';

/** The folder that the page lies in, which is also what its service worker may answer for. */
export const FOLDER = new URL('.', location.href).href;

/** Why the page cannot be kept here; nothing where it can. */
export function obstacle(): string | undefined {
  if (!isSecureContext) return WORDS.insecure;
  if (!('serviceWorker' in navigator) || !('caches' in globalThis)) return WORDS.unsupported;
  return undefined;
}

/** Whether the person wants nothing kept at any visit. */
export async function isRefused(): Promise<boolean> {
  return caches.has(noteCache(FOLDER));
}

/** Notes that nothing is to be kept at later visits, or takes the note back. */
export async function refuse(refused: boolean): Promise<void> {
  if (refused) await caches.open(noteCache(FOLDER));
  else await caches.delete(noteCache(FOLDER));
}

/** Has the service worker keep the page, in its newest version, and waits until it has. */
export async function keepPage(): Promise<void> {
  const registration = await navigator.serviceWorker.register('service-worker.js', { updateViaCache: 'none' });
  const worker = registration.installing ?? registration.waiting ?? registration.active;
  if (!worker) throw new Error(WORDS.installFailed);
  await settled(worker);
  if (worker.state === 'redundant') throw new Error(WORDS.installFailed);
  // Where it was installed before and its cache is gone, it has to be asked.
  if ((await pageBytes()) === 0) await ask(worker);
}

async function ask(worker: ServiceWorker): Promise<void> {
  const { port1: here, port2: there } = new MessageChannel();
  const answer = new Promise<unknown>((resolve) => {
    here.onmessage = ({ data }) => {
      resolve(data);
    };
  });
  worker.postMessage('keep', [there]);
  const why = await answer;
  if (typeof why === 'string') throw new Error(why);
}

/** Ends the service worker and removes every version of the page that it kept. */
export async function clearPage(): Promise<void> {
  const registration = await navigator.serviceWorker.getRegistration(FOLDER);
  const coming = registration?.installing;
  await registration?.unregister();
  // One that is still being installed would go on writing.
  if (coming) await settled(coming);
  const pages = (await caches.keys()).filter((name) => name.startsWith(pageCache(FOLDER)));
  await Promise.all(pages.map((name) => caches.delete(name)));
}

/** Bytes of the kept page, all versions of it; 0 where none is kept. */
export async function pageBytes(): Promise<number> {
  return cachedBytes(pageCache(FOLDER));
}

/** Bytes of what lies in the caches whose names begin so. */
export async function cachedBytes(prefix: string): Promise<number> {
  const names = (await caches.keys()).filter((name) => name.startsWith(prefix));
  const sizes = names.map(async (name) => {
    const cache = await caches.open(name);
    const responses = await Promise.all((await cache.keys()).map((request) => cache.match(request)));
    return responses.reduce((sum, response) => sum + Number(response?.headers.get('content-length') ?? 0), 0);
  });
  return (await Promise.all(sizes)).reduce((sum, one) => sum + one, 0);
}

/** Removes all that this page keeps in caches, older versions and the note included. */
export async function clearCaches(): Promise<void> {
  await clearPage();
  const names = (await caches.keys()).filter((name) => name.startsWith(cachePrefix(FOLDER)));
  await Promise.all(names.map((name) => caches.delete(name)));
}

/** Waits until a service worker runs, or has given up. */
function settled(worker: ServiceWorker): Promise<void> {
  return new Promise((resolve) => {
    const look = () => {
      if (worker.state !== 'activated' && worker.state !== 'redundant') return;
      worker.removeEventListener('statechange', look);
      resolve();
    };
    worker.addEventListener('statechange', look);
    look();
  });
}
