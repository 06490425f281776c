import { build } from 'rolldown';
import type { Plugin } from 'vite';

const NAME = 'virtual:worker-source';

/**
 * Makes the worker's whole code importable as text. A worker that is started from a blob: address inherits the page's
 * content security policy; one fetched by address takes its policy from its own response, which a static host leaves empty.
 */
export function workerSource(entry: string, engine: string): Plugin {
  return {
    name: 'coppice:worker-source',
    resolveId: (id) => (id === NAME ? `\0${NAME}` : undefined),
    async load(id) {
      if (id !== `\0${NAME}`) return undefined;
      const { output } = await build({
        input: entry,
        platform: 'browser',
        write: false,
        // Its path for `#engine` leads to types only.
        tsconfig: false,
        resolve: { alias: { '#engine': engine } },
        // The glue of wasm-bindgen would fetch the module beside itself; the page hands it a compiled module instead.
        transform: { define: { 'import.meta.url': '""' } },
        output: { format: 'iife', minify: true },
      });
      this.addWatchFile(entry);
      this.addWatchFile(engine);
      return `export default ${JSON.stringify(output[0].code)};`;
    },
  };
}
