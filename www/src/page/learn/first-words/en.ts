/** What the page says of its learning part before anybody opens it; the rest is in words.ts, which is loaded with the part. */
export const FIRST_WORDS = {
  method: 'How it works',
  methodOf: (title: string) => `How it works: ${title} (opens in a new tab)`,
};
