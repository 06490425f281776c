/** Languages of the page, each by its own name. */
export const LANGUAGES = { en: 'English', de: 'Deutsch' } as const;

export type Language = keyof typeof LANGUAGES;

/** The parameter of the page's address that chooses a language; nothing of the choice is kept anywhere else. */
const PARAMETER = 'lang';

/** The language that an address asks for, else the first that the browser prefers and the page has, else English. */
export function choose(search: string, preferred: readonly string[]): Language {
  const wanted = [new URLSearchParams(search).get(PARAMETER) ?? '', ...preferred];
  return wanted.map((tag) => tag.toLowerCase().split('-')[0] ?? '').find(isLanguage) ?? 'en';
}

/** The same address in another language. */
export function addressIn(language: Language, address: string): string {
  const url = new URL(address);
  url.searchParams.set(PARAMETER, language);
  return url.href;
}

function isLanguage(tag: string): tag is Language {
  return Object.hasOwn(LANGUAGES, tag);
}

/** The language that the page speaks. Where there is no page, as in a build, it is English. */
export let language: Language = typeof document === 'undefined' ? 'en' : choose(location.search, navigator.languages);

/** Lets the page speak English where its own language cannot be had. */
export function fallBack(): void {
  language = 'en';
}
