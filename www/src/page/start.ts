/** The page's first script: chooses the language, and loads the page in it. It is small, since nothing is painted before it ran. */
import type { TEXTS } from './html/words/en.ts';
import { translate } from './catalogue.ts';
import { rich } from './dom.ts';
import { fallBack, language } from './language.ts';

void start();

async function start(): Promise<void> {
  const missing = language === 'de' && !(await speakGerman());
  await import('./main.ts');
  if (!missing) return;
  const [{ showError }, { WORDS }] = await Promise.all([import('./alert.ts'), import('./words.ts')]);
  showError(WORDS.language.failed);
}

/** Gives the page its German texts; false where they cannot be had. */
async function speakGerman(): Promise<boolean> {
  const root = document.documentElement;
  // The English texts that stand in the page are not shown before the German ones.
  root.style.visibility = 'hidden';
  try {
    const { GERMAN } = await import('./german.ts');
    translate(GERMAN);
    root.lang = language;
    fill(GERMAN.html);
    const note = document.getElementById('language-note');
    if (note) {
      note.textContent = GERMAN.steps.language.note;
      note.hidden = false;
    }
    return true;
  } catch {
    fallBack();
    return false;
  } finally {
    root.style.visibility = '';
  }
}

/** Puts texts in the place of those that stand in index.html: what an element says, or an attribute of it. */
function fill(texts: Record<keyof typeof TEXTS, string>): void {
  const of = (element: HTMLElement, name: string) => texts[element.dataset[name] as keyof typeof TEXTS];
  for (const element of document.querySelectorAll<HTMLElement>('[data-words]'))
    element.replaceChildren(...rich(of(element, 'words')));
  for (const element of document.querySelectorAll<HTMLElement>('[data-words-label]'))
    element.setAttribute('aria-label', of(element, 'wordsLabel'));
  for (const element of document.querySelectorAll<HTMLElement>('[data-words-content]'))
    element.setAttribute('content', of(element, 'wordsContent'));
}
