import { clearError, showError } from './alert.ts';
import { byId } from './dom.ts';
import { ModelStep } from './model.ts';
import { NeedsLine } from './needs.ts';
import { ProgressView } from './progress.ts';
import { RecipeStep } from './recipe.ts';
import { ResultStep } from './result.ts';
import { Session } from './session.ts';
import { TextsStep } from './texts.ts';

const session = new Session();
const model = new ModelStep(session);
const texts = new TextsStep();
const recipe = new RecipeStep();
const needs = new NeedsLine();
const progress = new ProgressView();
const result = new ResultStep();
const start = byId('start') as HTMLButtonElement;
const cancel = byId('cancel') as HTMLButtonElement;

recipe.texts = texts;
texts.onChange = () => {
  recipe.update();
};
model.onChange = (inspection, demo) => {
  texts.fit(inspection, demo);
  recipe.fit(inspection);
};
session.onStart = (coppice) => {
  recipe.offer(coppice.catalog);
};
recipe.onChange = () => {
  needs.refresh();
};
needs.ask = async () => {
  if (!model.inspection) return undefined;
  const chosen = recipe.read();
  const coppice = await session.engine();
  const [calibration, evaluation] = [await texts.calibration(), await texts.evaluation()];
  return coppice.estimate(model.files, chosen, { calibration, evaluation });
};

function setBusy(busy: boolean): void {
  const [leaving, coming] = busy ? [start, cancel] : [cancel, start];
  const focused = document.activeElement === leaving;
  session.busy = busy;
  leaving.hidden = true;
  coming.hidden = false;
  // A hidden button loses the focus to nowhere.
  if (focused) coming.focus();
}

function say(sentence: string): void {
  byId('status').textContent = sentence;
}

async function run(): Promise<void> {
  clearError();
  const abort = new AbortController();
  cancel.onclick = () => {
    say('Cancelling…');
    abort.abort();
  };
  try {
    if (!model.inspection) throw new Error('There is no model yet; choose one in step 1.');
    const chosen = recipe.read();
    needs.hold();
    setBusy(true);
    progress.begin();
    const [calibration, evaluation] = [await texts.calibration(), await texts.evaluation()];
    const coppice = await session.engine();
    const pruned = await coppice.prune(model.files, chosen, {
      calibration,
      evaluation,
      signal: abort.signal,
      onProgress: (step) => {
        progress.update(step);
      },
    });
    result.show(model.name, pruned);
    say('Done.');
    byId('result-title').focus();
  } catch (error) {
    if (error instanceof DOMException && error.name === 'AbortError') {
      say(error.message);
    } else {
      say('');
      showError(error);
    }
  } finally {
    progress.end();
    setBusy(false);
  }
}

start.addEventListener('click', () => void run());
void session.start();
