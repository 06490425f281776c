import { bytes, count } from '../../format.ts';

/** What the storage panel says. */
export const WORDS = {
  title: 'What this browser keeps',
  titleWith: (size: string) => `What this browser keeps: ${size}`,
  newer: 'A newer version of the page is here; it is used at the next load.',
  caption: 'Kept by this page in this browser',
  columns: ['What', 'Size', 'For what', 'Change'],
  page: 'This page',
  pageUse: 'opens without a network; a newer version is fetched in the background and used at the next load',
  demo: (title: string) => `Demo: ${title}`,
  demoUse: 'model and texts for use without a network; kept only where you ask for it',
  scratch: 'Scratch of a run',
  scratchUse: 'statistics that do not fit in memory, until the run ends',
  note: 'Your choice that nothing is kept',
  noteUse: 'an empty note, since the page could not know it at the next visit otherwise',
  none: 'not kept',
  nothing: 'none',
  empty: 'no bytes',
  keep: 'Keep',
  keepThis: (what: string, size: number) => `Keep ${what}${size > 0 ? `, ${bytes(size)}` : ''}`,
  clear: 'Clear',
  clearThis: (what: string) => `Clear ${what}`,
  keepDemos: (size: number) => `Keep all demo models for offline use (${bytes(size)})`,
  clearAll: 'Clear everything',
  later: 'Keep the page at later visits too',
  laterHint:
    'Unticked, the page is cleared now and the browser holds an empty note, so that later visits keep nothing.',
  others: 'The page uses no cookies, no local storage and no database.',
  total: (used: number, room: number) =>
    `The browser counts ${bytes(used)} for this address, of ${bytes(room)} that it allows; it rounds up, and pages beside this one count too.`,
  noTotal: 'This browser does not tell how much it holds for this address.',
  policy: [
    'What holds what: the content security policy of the page keeps the page and the worker of the engine from sending anything to another address.',
    'The service worker, which answers without a network, has no such policy on most hosts; its own few lines ask for files of this page only.',
    'No policy covers navigation: following a link leaves this page, and a browser would not stop a page from sending the tab to another address with something in it; nor does one cover WebRTC. The code of this page sends the tab to no other address but its own, and uses no WebRTC.',
  ].join(' '),
  insecure: 'Use without a network needs https or localhost: here the browser lets the page keep nothing.',
  unsupported:
    'This browser has no service worker for this page, as in some private windows: it keeps nothing for use without a network.',
  keeping: (what: string, size: number) => `Keeping ${what}${size > 0 ? `, ${bytes(size)}` : ''}…`,
  keptPage: 'The page is kept: it opens without a network.',
  kept: (what: string) => `Kept for use without a network: ${what}.`,
  keptDemos: (number: number) => `All ${count(number)} demo models are kept for use without a network.`,
  clearedPage:
    'The page is cleared, and not kept again during this visit. The next visit keeps it again, unless the box below is unticked.',
  cleared: (what: string) => `Cleared: ${what}.`,
  clearedAll: 'Everything is cleared, and nothing is kept again during this visit unless you ask for it.',
  clearedAllButScratch: 'Everything is cleared but the scratch of a run under way, which is removed when the run ends.',
  scratchInUse: 'The scratch is in use by a run; it is removed when the run ends.',
  never: 'Nothing is kept from now on, at later visits neither.',
  pageNotKept: (why: string) =>
    `The page could not be kept (${why}); look at the connection, reload the page and try again.`,
  demoNotKept: (what: string, why: string) =>
    `${what} could not be kept (${why}); look at the connection and at the room on this disk, and try again.`,
  notCleared: (what: string, why: string) =>
    `${what} could not be cleared (${why}); close other tabs of this page and try again.`,
  installFailed: 'a file did not come, or not as it was built',
};
