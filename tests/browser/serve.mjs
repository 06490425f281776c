import { readFile, stat } from 'node:fs/promises';
import { createServer } from 'node:http';
import { extname, join, normalize } from 'node:path';

const TYPES = {
  '.html': 'text/html',
  '.js': 'text/javascript',
  '.css': 'text/css',
  '.svg': 'image/svg+xml',
  '.wasm': 'application/wasm',
  '.webmanifest': 'application/manifest+json',
  '.png': 'image/png',
};

export const typeOf = (file) => TYPES[extname(file)] ?? 'application/octet-stream';

/** Listens on a free port of this machine; `hits` are the paths that were asked for. */
export async function listen(answer) {
  const hits = [];
  const server = createServer((request, response) => {
    hits.push(request.url);
    answer(request, response).catch(() => response.writeHead(404).end());
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  const origin = `http://127.0.0.1:${server.address().port}`;
  const close = () => {
    server.closeAllConnections();
    return new Promise((resolve) => server.close(resolve));
  };
  return { origin, hits, close };
}

/**
 * Serves a folder as a plain static host does: no headers of its own but those given by path. `redirect` has an address of it lead
 * elsewhere from then on.
 */
export async function serveFolder(folder, headers = {}) {
  const redirects = new Map();
  const server = await listen(async (request, response) => {
    const to = redirects.get(request.url);
    if (to) return void response.writeHead(302, { location: to }).end();
    const path = normalize(decodeURIComponent(new URL(request.url, 'http://host').pathname));
    const file = join(folder, path.endsWith('/') ? `${path}index.html` : path);
    if (!(await stat(file)).isFile()) throw new Error('not a file');
    response
      .writeHead(200, {
        'content-type': typeOf(file),
        ...headers[path],
      })
      .end(await readFile(file));
  });
  return { ...server, redirect: (path, to) => redirects.set(path, to) };
}

/** Another origin, which answers everything gladly, so that only the page's policy can keep requests from it. */
export function serveForeign() {
  return listen(async (request, response) => {
    response
      .writeHead(200, {
        'access-control-allow-origin': '*',
        'content-type': 'text/javascript',
      })
      .end('self.reached = true;');
  });
}
