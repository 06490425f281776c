// serve.mjs [FOLDER] [PORT]: a small static server on this machine only, for `make demo` and for looking at dist/.
import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { createServer } from 'node:http';
import { extname, join, normalize, resolve, sep } from 'node:path';
import { pipeline } from 'node:stream';

const root = resolve(process.argv[2] ?? 'dist');
const port = Number(process.argv[3] ?? process.env.PORT ?? 8000);
const types = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.json': 'application/json',
  '.svg': 'image/svg+xml',
  '.wasm': 'application/wasm',
  '.webmanifest': 'application/manifest+json',
  '.png': 'image/png',
  '.txt': 'text/plain; charset=utf-8',
  '.tsv': 'text/tab-separated-values; charset=utf-8',
};

/** The file that an address names, or nothing where it is outside the folder or not there. */
async function find(address) {
  const path = join(root, normalize(decodeURIComponent(new URL(address, 'http://localhost').pathname)));
  if (path !== root && !path.startsWith(root + sep)) return undefined;
  const found = await stat(path).catch(() => undefined);
  if (!found?.isDirectory()) return found && { path, size: found.size };
  const index = join(path, 'index.html');
  const page = await stat(index).catch(() => undefined);
  return page && { path: index, size: page.size };
}

const server = createServer(async (request, response) => {
  const file = await find(request.url ?? '/').catch(() => undefined);
  if (!file || (request.method !== 'GET' && request.method !== 'HEAD')) {
    response.writeHead(file ? 405 : 404, { 'content-type': 'text/plain' }).end(file ? 'Only GET here.\n' : 'Not here.\n');
    return;
  }
  response.writeHead(200, {
    'content-type': types[extname(file.path)] ?? 'application/octet-stream',
    'content-length': file.size,
    'cache-control': 'no-cache',
    // A service worker takes its policy from its own response; the page says its own in the document.
    ...(file.path === join(root, 'service-worker.js') && {
      'content-security-policy': "default-src 'none'; connect-src 'self'",
    }),
  });
  if (request.method === 'HEAD') response.end();
  // A reader who leaves half-way is no fault of the server's.
  else pipeline(createReadStream(file.path), response, () => undefined);
});

server.on('error', (error) => {
  const why = error.code === 'EADDRINUSE' ? `port ${port} is taken; choose another with PORT=8001` : error.message;
  console.error(`error: the page cannot be served: ${why}.`);
  process.exit(1);
});
server.listen(port, '127.0.0.1', () => console.log(`Coppice is at http://127.0.0.1:${port} (stop with Ctrl-C)`));
