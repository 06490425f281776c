import type { Inspection, PruneResult, Report } from '../lib/coppice.ts';
import { showError } from './alert.ts';
import { byId, download, h } from './dom.ts';
import { bytes } from './format.ts';
import { ResultMap } from './map/result-map.ts';
import { WORDS as RECIPE } from './recipe/words.ts';
import { FIRST_WORDS as REPORT } from './report/first-words.ts';
import { comparisonOf, notesOf, summaryOf } from './result-parts.ts';
import { canPickFolder, saveAsZip, saveToFolder } from './save.ts';
import { WORDS as ALL } from './words.ts';

const { result: WORDS } = ALL;

/** Section 5: what came of it, and the files. */
export class ResultStep {
  readonly map = new ResultMap();
  /** Called when a person wants the recipe of what is shown back in the form, or its report. */
  onRecipe: (report: Report) => void = () => undefined;
  onReport: () => void = () => undefined;
  readonly #body = byId('result-body');

  /** Shows nothing, as before the first run. */
  clear(): void {
    byId('result-attempt').textContent = '';
    byId('result-empty').hidden = false;
    this.#body.hidden = true;
    this.#body.replaceChildren();
  }

  show(model: string, result: PruneResult, inspection: Inspection): void {
    const { report, files } = result;
    const name = `${model}-pruned`;
    byId('result-empty').hidden = true;
    this.#body.hidden = false;
    this.#body.replaceChildren(
      summaryOf(report),
      comparisonOf(report),
      notesOf(report),
      this.map.show(inspection, result),
      downloads(files, name),
      this.#further(report),
    );
  }

  /** What else can be done with a result. */
  #further(report: Report): HTMLElement {
    const [print, again] = [
      h('button', { type: 'button', 'data-testid': 'report-open' }, REPORT.open),
      h('button', { type: 'button', 'data-testid': 'result-recipe' }, RECIPE.again),
    ];
    print.addEventListener('click', () => {
      this.onReport();
    });
    again.addEventListener('click', () => {
      this.onRecipe(report);
    });
    return h('p', { class: 'row' }, print, again);
  }
}

function downloads(files: readonly File[], name: string): HTMLElement {
  const said = h('p', { class: 'hint', role: 'status', 'data-testid': 'save-status' });
  const button = (title: string, id: string, save: () => Promise<string>) => {
    const element = h('button', { type: 'button', 'data-testid': id }, title);
    element.addEventListener('click', () => {
      element.disabled = true;
      said.textContent = WORDS.writing;
      save()
        .then((sentence) => (said.textContent = sentence))
        .catch((error: unknown) => {
          said.textContent = '';
          showError(error);
        })
        .finally(() => (element.disabled = false));
    });
    return element;
  };
  const zip = button(WORDS.zip, 'save-zip', async () => {
    await saveAsZip(files, name);
    return WORDS.zipSaved(name);
  });
  const folder = button(WORDS.folder, 'save-folder', async () => {
    const saved = await saveToFolder(files, name);
    return saved === undefined ? '' : WORDS.folderSaved(saved);
  });
  (canPickFolder ? folder : zip).className = 'main';
  const size = files.reduce((sum, file) => sum + file.size, 0);
  return h(
    'div',
    { class: 'downloads' },
    h('h3', {}, WORDS.files(files.length, size)),
    h(
      'ul',
      { class: 'files', 'data-testid': 'output-files' },
      ...files.map((file) => h('li', {}, saveOne(file), ' ', h('span', {}, bytes(file.size)))),
    ),
    h('p', { class: 'row' }, canPickFolder ? folder : null, zip),
    said,
  );
}

/** The name of an output file, as a button that saves that file alone. */
function saveOne(file: File): HTMLElement {
  const name = h('button', { type: 'button', class: 'link', 'data-testid': 'save-file' }, file.name);
  name.addEventListener('click', () => {
    download(file, file.name);
  });
  return name;
}
