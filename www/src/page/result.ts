import type { Evaluation, PruneResult, Report } from '../lib/coppice.ts';
import { showError } from './alert.ts';
import { drawKept, headings, tableOfKept } from './chart.ts';
import { byId, h } from './dom.ts';
import { bytes, count, duration, percent } from './format.ts';
import { canPickFolder, saveAsZip, saveToFolder } from './save.ts';

/** Section 5: what came of it, and the files. */
export class ResultStep {
  readonly #body = byId('result-body');

  show(model: string, { report, files }: PruneResult): void {
    const name = `${model}-pruned`;
    byId('result-empty').hidden = true;
    this.#body.hidden = false;
    this.#body.replaceChildren(
      summary(report),
      comparison(report),
      notes(report),
      h(
        'figure',
        {},
        h('figcaption', {}, 'What stays in each layer'),
        drawKept(report.layers),
        h('details', {}, h('summary', {}, 'The same as a table'), tableOfKept(report.layers)),
      ),
      downloads(files, name),
    );
  }
}

function summary(report: Report): HTMLElement {
  const saved = report.bytes.before - report.bytes.after;
  const figures: [string, string, string][] = [
    [percent(report.ratio.realised), "of the layers' parameters removed", 'removed-share'],
    [saved > 0 ? bytes(saved) : 'none', 'of disk space saved', 'bytes-saved'],
    [duration(report.seconds), `on the ${report.device.kind === 'gpu' ? 'GPU' : 'CPU'}`, 'seconds'],
  ];
  return h(
    'div',
    { class: 'figures' },
    ...figures.map(([value, what, id]) => h('p', {}, h('strong', { 'data-testid': id }, value), h('span', {}, what))),
  );
}

function comparison(report: Report): HTMLElement {
  const score = (evaluation: Evaluation | null | undefined) => {
    if (typeof evaluation?.accuracy === 'number') return percent(evaluation.accuracy);
    return typeof evaluation?.perplexity === 'number' ? evaluation.perplexity.toFixed(2) : 'not measured';
  };
  const { dense, pruned, parameters } = report;
  const measure = dense?.task === 'perplexity' ? 'Perplexity' : 'Accuracy';
  const examples = dense ? ` on ${count(dense.examples)} lines` : '';
  const rows: [string, string, string, string][] = [
    [measure + examples, score(dense), score(pruned), 'accuracy'],
    [
      'Divergence from the dense model (KL, nats)',
      '0',
      typeof pruned?.kl === 'number' ? pruned.kl.toFixed(4) : 'not measured',
      'kl',
    ],
    ['Parameters, whole model', count(parameters.before), count(parameters.after), 'parameters'],
    ['Weights on disk', bytes(report.bytes.before), bytes(report.bytes.after), 'bytes'],
  ];
  return h(
    'table',
    { class: 'compare', 'data-testid': 'comparison' },
    h('caption', {}, `Before and after, written as “${report.output}”`),
    h('thead', {}, headings(['', 'Before', 'After'])),
    h(
      'tbody',
      {},
      ...rows.map(([what, before, after, id]) =>
        h(
          'tr',
          {},
          h('th', { scope: 'row' }, what),
          h('td', { 'data-testid': `${id}-before` }, before),
          h('td', { 'data-testid': `${id}-after` }, after),
        ),
      ),
    ),
  );
}

function notes({ warnings, close_calls: closeCalls }: Report): HTMLElement | string {
  if (warnings.length + closeCalls.length === 0) return '';
  return h(
    'div',
    { class: 'notes', 'data-testid': 'notes' },
    ...warnings.map((warning) => h('p', {}, warning)),
    closeCalls.length > 0
      ? h(
          'details',
          {},
          h('summary', {}, `${count(closeCalls.length)} close calls: another device may choose otherwise here`),
          h('ul', {}, ...closeCalls.map((call) => h('li', {}, call))),
        )
      : null,
  );
}

function downloads(files: readonly File[], name: string): HTMLElement {
  const said = h('p', { class: 'hint', role: 'status', 'data-testid': 'save-status' });
  const button = (title: string, id: string, save: () => Promise<string>) => {
    const element = h('button', { type: 'button', 'data-testid': id }, title);
    element.addEventListener('click', () => {
      element.disabled = true;
      said.textContent = 'Writing…';
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
  const zip = button('Download as a zip', 'save-zip', async () => {
    await saveAsZip(files, name);
    return `${name}.zip is in your downloads.`;
  });
  const folder = button('Save to a folder', 'save-folder', async () => {
    const saved = await saveToFolder(files, name);
    return saved === undefined ? '' : `Saved as the folder ${saved}.`;
  });
  (canPickFolder ? folder : zip).className = 'main';
  const size = files.reduce((sum, file) => sum + file.size, 0);
  return h(
    'div',
    { class: 'downloads' },
    h('h3', {}, `The pruned model: ${count(files.length)} files, ${bytes(size)}`),
    h(
      'ul',
      { class: 'files', 'data-testid': 'output-files' },
      ...files.map((file) => h('li', {}, `${file.name} `, h('span', {}, bytes(file.size)))),
    ),
    h('p', { class: 'row' }, canPickFolder ? folder : null, zip),
    said,
  );
}
