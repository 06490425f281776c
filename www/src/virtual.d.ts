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

declare module 'virtual:formulas' {
  /** Formulas of src/page/learn/formulas.json as MathML. */
  export const FORMULAS: Record<keyof typeof import('./page/learn/formulas.json'), string>;
}
