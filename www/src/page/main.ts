import { clearError, showError } from './alert.ts';
import { byId, exchange } from './dom.ts';
import { ModelStep } from './model.ts';
import { NeedsLine } from './needs.ts';
import { ProgressView } from './progress.ts';
import { RecipeStep } from './recipe.ts';
import { ResultStep } from './result.ts';
import { Session } from './session.ts';
import { TextsStep } from './texts.ts';
import { TryStep } from './try.ts';

const session = new Session();
const model = new ModelStep(session);
const texts = new TextsStep();
const recipe = new RecipeStep();
const needs = new NeedsLine();
const progress = new ProgressView();
const result = new ResultStep();
const tried = new TryStep(session);
const start = byId('start') as HTMLButtonElement;
const cancel = byId('cancel') as HTMLButtonElement;

recipe.texts = texts;
texts.onChange = () => {
  recipe.update();
};
model.onChange = (inspection, demo) => {
  texts.fit(inspection, demo);
  recipe.fit(inspection);
  tried.fit(model.files, inspection, demo);
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
  session.busy = busy;
  tried.blocked = busy;
  if (busy) exchange(start, cancel);
  else exchange(cancel, start);
}

tried.onBusy = (busy) => {
  session.busy = busy;
  start.disabled = busy;
};

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
    const [files, chosen] = [model.files, recipe.read()];
    needs.hold();
    setBusy(true);
    progress.begin();
    const [calibration, evaluation] = [await texts.calibration(), await texts.evaluation()];
    const coppice = await session.engine();
    const pruned = await coppice.prune(files, chosen, {
      calibration,
      evaluation,
      signal: abort.signal,
      onProgress: (step) => {
        progress.update(step);
      },
    });
    result.show(model.name, pruned);
    // Another model may have been chosen meanwhile.
    if (files === model.files) tried.offer(pruned.files);
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
