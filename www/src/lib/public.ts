/** `coppice.js`: the public module. The page imports what stands behind it under a name that changes with its content. */
export * from './coppice.ts';
