declare module 'virtual:worker-source' {
  /** The worker's whole code, as a classic script. */
  const source: string;
  export default source;
}

declare module 'core.wasm?url' {
  /** Address of the WebAssembly module, beside the page. */
  const url: string;
  export default url;
}
