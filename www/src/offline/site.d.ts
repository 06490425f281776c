/** What the build knows of the files that the site consists of. */
declare module 'virtual:site' {
  /** Digest over all files of the page and over the service worker: another page has another version. */
  export const VERSION: string;
  /** Files of the page itself, without the demo models. */
  export const FILES: readonly import('./files.ts').SiteFile[];
}

declare module 'virtual:demo-files' {
  /** Files of each demo model and of its texts, by the model's id. */
  export const DEMO_FILES: Readonly<Record<string, import('./files.ts').DemoFiles>>;
}
