import type { Recipe } from '../lib/coppice.ts';
import { KeptLine } from './again/kept-line.ts';
import { groundOf, Statistics } from './again/statistics.ts';
import { AgainStep } from './again/step.ts';
import { clearError, showError } from './alert.ts';
import { type Attempt, type Subject, subjectOf } from './attempts/attempt.ts';
import { AttemptsStep } from './attempts/step.ts';
import { WORDS as ATTEMPTS } from './attempts/words.ts';
import { byId, exchange } from './dom.ts';
import { LanguageSwitch } from './language-switch.ts';
import { LearnDoor } from './learn/door.ts';
import { Links } from './link/links.ts';
import { LiveMap } from './map/live-map.ts';
import { OpenMap } from './map/open-map.ts';
import { WORDS } from './map/words.ts';
import { inLanguage } from './menus/menus.ts';
import { ModelStep } from './model.ts';
import { NeedsLine } from './needs.ts';
import { ProgressView } from './progress.ts';
import { Exchange } from './recipe/exchange.ts';
import { RecipeStep } from './recipe/step.ts';
import { ResultStep } from './result.ts';
import { Session } from './session.ts';
import { StoragePanel } from './storage/panel.ts';
import { TextsStep } from './texts.ts';
import { TryStep } from './try.ts';
import { WORDS as STEPS } from './words.ts';

const session = new Session();
const model = new ModelStep(session);
const texts = new TextsStep();
const recipe = new RecipeStep();
const traffic = new Exchange(recipe);
const needs = new NeedsLine();
const progress = new ProgressView();
const result = new ResultStep();
const tried = new TryStep(session);
const openMap = new OpenMap(byId('open-map'));
const liveMap = new LiveMap(byId('live-map'));
const attempts = new AttemptsStep(session);
const storage = new StoragePanel();
/** The model that is chosen, once it is understood. */
let subject: Subject | undefined;
const statistics = new Statistics();
const kept = new KeptLine(statistics, () => {
  try {
    return subject && groundOf(subject, texts.identity, recipe.read());
  } catch {
    // A field is wrong.
    return undefined;
  }
});
const again = new AgainStep({
  session,
  statistics,
  attempts,
  subject: () => model.inspection && subject,
  texts: () => texts.identity,
  load,
});
const start = byId('start') as HTMLButtonElement;
const cancel = byId('cancel') as HTMLButtonElement;
const learn = new LearnDoor({
  subject: () => model.inspection && subject,
  texts,
  attempts: () => attempts.on(subject),
  show: (attempt) => {
    attempts.open(attempt);
  },
  busy: () => start.disabled || Boolean(start.hidden),
  run,
});

byId('needs').after(kept.element);
byId('result-body').before(again.panel.element);
statistics.onChange = () => {
  kept.update();
};
recipe.texts = texts;
texts.onChange = () => {
  statistics.release(texts.identity);
  recipe.update();
};
model.onLeave = () => {
  statistics.release();
  again.show(undefined);
  openMap.clear();
  learn.refresh();
};
model.onChange = (inspection, demo) => {
  openMap.show(inspection);
  texts.fit(inspection, demo);
  recipe.fit(inspection);
  subject = subjectOf(model.name, model.files, inspection, demo);
  tried.fit(subject, attempts.on(subject));
  again.show(attempts.shown);
  learn.refresh();
};
session.onStart = (coppice) => {
  recipe.offer(inLanguage(coppice.catalog));
  again.catalog = coppice.catalog;
};
recipe.onChange = () => {
  kept.update();
  needs.refresh();
  traffic.update();
};
traffic.check = async (given) => (await session.engine()).check(given);
traffic.options = () => ({ model: model.name, ...session.asked });
session.onAsk = () => {
  // Another device knows nothing of what this one kept.
  statistics.release();
  traffic.update();
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
  tried.blocked = attempts.blocked = again.blocked = kept.blocked = busy;
  result.map.blocked = busy;
  if (busy) exchange(start, cancel);
  else exchange(cancel, start);
}

tried.onBusy = (busy) => {
  session.busy = start.disabled = attempts.blocked = again.blocked = result.map.blocked = busy;
};
attempts.onBusy = (busy) => {
  session.busy = start.disabled = tried.blocked = again.blocked = result.map.blocked = busy;
};
again.onBusy = (busy) => {
  session.busy = start.disabled = tried.blocked = attempts.blocked = kept.blocked = result.map.blocked = busy;
};
again.onRatio = (share) => {
  recipe.setRatio(share);
};
attempts.onChange = () => {
  tried.offer(attempts.on(subject));
  nameResult();
  learn.refresh();
};
attempts.onShow = (attempt) => {
  again.show(attempt);
  if (!attempt) {
    result.clear();
    return;
  }
  result.show(attempt.subject.name, attempt.result, attempt.subject.inspection);
  nameResult();
  // One of another model has nothing to stand beside.
  if (attempt.subject.key === subject?.key) tried.offer(attempts.on(subject), attempt);
  // Who moves the slider goes on with it.
  if (!again.panel.focused) byId('result-title').focus();
};

/** Says above the result which attempt it is of. */
function nameResult(): void {
  const { shown } = attempts;
  byId('result-attempt').textContent = shown ? ATTEMPTS.of(shown.name, shown.subject.name) : '';
}

function say(sentence: string): void {
  byId('status').textContent = sentence;
}

/** The texts that are chosen. */
async function load() {
  return { calibration: await texts.calibration(), evaluation: await texts.evaluation() };
}

/** Prunes the model by a recipe, where nothing else is said by the form's. */
async function run(make: () => Recipe = () => recipe.read()): Promise<Attempt | undefined> {
  clearError();
  const abort = new AbortController();
  cancel.onclick = () => {
    say(STEPS.cancelling);
    abort.abort();
  };
  try {
    const on = subject;
    if (!model.inspection || !on) throw new Error(STEPS.noModel);
    const chosen = make();
    needs.hold();
    setBusy(true);
    progress.begin(needs.last?.steps);
    liveMap.begin(on.inspection);
    const ground = groundOf(on, texts.identity, chosen);
    const coppice = await session.engine();
    progress.device = coppice.device;
    progress.onPause = (paused) => {
      if (paused) coppice.pause();
      else coppice.resume();
    };
    const pruned = await statistics.run(coppice, ground, chosen, load, {
      signal: abort.signal,
      onProgress: (step) => {
        progress.update(step);
        liveMap.update(step);
      },
    });
    const attempt = await attempts.add(on, pruned.result, pruned.evaluation);
    statistics.know(attempt, ground);
    attempts.open(attempt);
    say(STEPS.done);
    return attempt;
  } catch (error) {
    if (error instanceof DOMException && error.name === 'AbortError') {
      say(STEPS.cancelled);
    } else {
      say('');
      showError(error);
    }
    return undefined;
  } finally {
    progress.end();
    liveMap.end();
    setBusy(false);
  }
}

result.onReport = () => {
  const { shown } = attempts;
  if (!shown) return;
  Promise.all([import('./report/report.ts'), session.engine()])
    .then(([{ openReport }, { catalog }]) => {
      openReport(shown, inLanguage(catalog));
    })
    .catch(showError);
};
result.onRecipe = (report) => void traffic.put(report.recipe);
result.map.onPlan = (plan, inspection) => {
  if (JSON.stringify(inspection) === JSON.stringify(model.inspection)) void run(() => recipe.read(plan));
  else showError(new Error(WORDS.otherModel));
};
new LanguageSwitch(() => ({ model: model.inspection !== undefined, attempts: attempts.size }));
start.addEventListener('click', () => void run());
const links = new Links({
  recipe: () => recipe.read(),
  demo: () => model.demo,
  openDemo: (demo) => model.openDemo(demo),
  asked: () => session.asked,
  ask: (asked) => session.ask(asked),
  started: () => session.start(),
  busy: () => start.disabled || Boolean(start.hidden),
  fill: (given) => traffic.fill(given),
  chooseText: (group, choice) => {
    texts.choose(group, choice);
  },
  say: (sentence) => {
    traffic.say(sentence);
  },
});
links.mount(traffic);
// A link may ask for a device; without one nothing is waited for. The page is kept once it runs, so that this takes nothing from its start.
void links
  .take()
  .finally(() => session.start())
  .then(() => storage.keepPage());
