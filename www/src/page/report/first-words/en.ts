/** What the page says of the report before anybody opens it; the rest is in words.ts, which is loaded with it. */
export const FIRST_WORDS = {
  open: 'Print or save the report',
};
