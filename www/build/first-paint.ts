import type { Plugin } from 'vite';

/** Has browsers that can paint the page only when its first script ran, which puts its texts into another language where one is wanted. */
export function paintAfterStart(): Plugin {
  return {
    name: 'coppice:first-paint',
    transformIndexHtml: {
      order: 'post',
      handler(html, { path }) {
        if (!path.endsWith('/index.html')) return html;
        return html.replace('<script type="module"', '<script type="module" blocking="render"');
      },
    },
  };
}
