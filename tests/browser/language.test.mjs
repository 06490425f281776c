// The page in German: the main flow with nothing left in English, and the way from one language to the other.
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { after, before, describe, test } from 'node:test';
import { accessible, alertText, MOCK, open, ready, SITE } from './site.mjs';
import { cataloguesOf, sourceOf, stretches, textsOfHtml } from './words.mjs';

/** Texts of index.html that no catalogue of it has: the same in every language. */
const UNNAMED = /^(Coppice|Seed|Top-[kp]|BF16|CPU|GPU \(WebGPU\)|\d+ GiB)$/;

describe('catalogues', () => {
  test('index.html says what the English catalogue says, and names all of it', async () => {
    const { TEXTS } = await sourceOf('html/words/en.ts');
    const { named, unnamed } = textsOfHtml();
    for (const [key, text] of named) assert.equal(text, TEXTS[key], key);
    assert.deepEqual(Object.keys(TEXTS).sort(), [...new Set(named.map(([key]) => key))].sort());
    // The page's own steps write the others, from the catalogues.
    const written = [...stretches('en', 1)];
    assert.deepEqual(
      unnamed.filter((text) => !UNNAMED.test(text) && !written.some((one) => text.includes(one))),
      [],
    );
  });

  test('every catalogue has a German one, with no sentence taken over', () => {
    assert.deepEqual(
      cataloguesOf('de').map((name) => name.replace('/de.ts', '')),
      cataloguesOf('en').map((name) => name.replace('/en.ts', '')),
    );
    const [english, german] = [stretches('en'), stretches('de')];
    assert.ok(english.size > 400);
    assert.deepEqual(
      [...english].filter((text) => german.has(text) && text.includes(' ')),
      [],
    );
  });

  test('the address chooses, then the browser, then English', async () => {
    const { choose, addressIn } = await sourceOf('language.ts');
    assert.equal(choose('?lang=de', ['en-US']), 'de');
    assert.equal(choose('?lang=en', ['de-AT']), 'en');
    assert.equal(choose('?lang=xx', ['fr', 'de-AT', 'en']), 'de');
    assert.equal(choose('?lang=toString', ['fr']), 'en');
    assert.equal(choose('', []), 'en');
    assert.equal(addressIn('de', 'http://host/page/?a=1&lang=en#b'), 'http://host/page/?a=1&lang=de#b');
  });
});

describe('the page in German', () => {
  let site;
  let page;
  const english = [...stretches('en')].filter((text) => !stretches('de').has(text));

  before(async () => {
    site = await open(MOCK, { path: '?lang=de', context: { reducedMotion: 'reduce' } });
    page = site.page;
    await engineRuns(page);
  });
  after(() => site.close());

  /** Fails where an element says, or is called, something of the English catalogues; what is marked as English may be. */
  async function noEnglish() {
    const said = await page.evaluate(() => {
      const texts = [document.title];
      const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
      while (walker.nextNode()) {
        const { parentElement: parent, data } = walker.currentNode;
        if (!parent.closest('[lang="en"], noscript, textarea, pre')) texts.push(data);
      }
      for (const element of document.querySelectorAll('[aria-label], [title], [placeholder], [alt], [content]'))
        for (const name of ['aria-label', 'title', 'placeholder', 'alt', 'content'])
          texts.push(element.getAttribute(name) ?? '');
      return texts.map((text) => text.replace(/\s+/g, ' ').trim()).filter((text) => text !== '');
    });
    assert.deepEqual(
      said.filter((text) => english.some((sentence) => text.includes(sentence))),
      [],
    );
  }

  async function run() {
    await page.getByTestId('run').click();
    await page.getByTestId('cancel').waitFor();
    await page.getByTestId('run').waitFor();
    assert.equal(await page.getByTestId('alert').textContent(), '');
  }

  test('it opens in German, and says what stays English', async () => {
    assert.equal(await page.evaluate(() => document.documentElement.lang), 'de');
    assert.match(await page.title(), /Transformer im Browser/);
    assert.match(await page.locator('#language-note').textContent(), /Englisch bleiben/);
    await noEnglish();
    await accessible(page);
  });

  test('a model is opened', async () => {
    await page.getByTestId('demo-bert-sst2').click();
    await page.getByTestId('model-map').waitFor();
    const facts = (await page.getByTestId('model-facts').textContent()).replaceAll('\u00a0', ' ');
    assert.match(facts, /Neuronen je Schicht1\.536/);
    assert.match(facts, /16,7 Mio\., davon/);
    await page.getByTestId('estimate').getByText('Braucht etwa').waitFor();
    await noEnglish();
  });

  test('it is pruned, with numbers as German writes them', async () => {
    await page.getByTestId('sequences').fill('4000');
    await page.getByTestId('unit-heads').check();
    await page.getByTestId('output').selectOption('sliced');
    await page.getByTestId('ratio').fill('37.5');
    await page.getByTestId('run').click();
    await page
      .getByTestId('progress-now')
      .getByText(/, Schicht \d von 6/)
      .waitFor();
    await page.getByTestId('pause').click();
    await page.getByTestId('status').getByText('Pause: Das Gerät ruht').waitFor();
    await noEnglish();
    await page.getByTestId('pause').click();
    await page.getByTestId('run').waitFor();
    await page.getByTestId('sequences').fill('20');
    const text = async (id) => (await page.getByTestId(id).textContent()).replaceAll('\u00a0', ' ');
    assert.equal(await text('accuracy-before'), '89,8 %');
    assert.equal(await text('kl-after'), '0,0312');
    assert.equal(await text('parameters-before'), '16.733.570');
    assert.match(await text('notes'), /Schicht 3, Neuron 17: bleibt/);
    for (const summary of await page.locator('#result summary, #run summary').all()) await summary.click();
    await noEnglish();
    await accessible(page);
  });

  test('the map tells and takes changes', async () => {
    const grid = page.getByTestId('result-map');
    await grid.locator('[role="gridcell"]').first().click();
    assert.match(await page.getByTestId('result-map-detail').textContent(), /Schicht 1, Head 0:.*Von Hand geändert/);
    assert.match(await page.getByTestId('map-changed').textContent(), /^Geändert: 1 Head in einer Schicht\./);
    await page.getByTestId('map-after').check();
    await noEnglish();
    await page.getByTestId('map-prune').click();
    await page.getByTestId('cancel').waitFor();
    await page.getByTestId('run').waitFor();
    await noEnglish();
  });

  test('other kinds of recipes say German words', async () => {
    for (const kind of ['sparse', 'low_rank']) {
      await page.getByTestId('kind').selectOption(kind);
      await run();
      await page.locator('#result summary').first().click();
      await page.getByTestId('result-map').locator('[role="gridcell"]').first().hover();
      await noEnglish();
    }
    await page.getByTestId('kind').selectOption('structured');
  });

  test('attempts are compared, and saved as a machine reads them', async () => {
    const names = await page
      .getByTestId('attempt-name')
      .evaluateAll((fields) => fields.map(({ value }) => value.replaceAll('\u00a0', ' ')));
    assert.equal(names[0], 'FLAP + LIAR, 37,5 %');
    assert.ok(names.includes('Plan von Hand + LIAR'), names.join());
    for (const box of await page.getByTestId('attempt-choose').all()) await box.check();
    await page.getByTestId('chart-table-show').click();
    await page.getByTestId('attempts-measure').click();
    await page.getByTestId('attempts-measure').waitFor();
    await page.getByTestId('chart-size').selectOption('time');
    await noEnglish();
    await accessible(page);
    const [download] = await Promise.all([page.waitForEvent('download'), page.getByTestId('attempts-csv').click()]);
    const [titles, row] = (await readFile(await download.path(), 'utf8')).split('\r\n');
    assert.match(titles, /^name,model,/);
    assert.match(row, /,structured,heads neurons,flap,uniform,0\.375,/);
    await page.getByTestId('attempt-delete').last().click();
    await noEnglish();
    await page.getByTestId('attempts-undo').click();
  });

  test('the recipe as JSON and fields stay as a machine reads them', async () => {
    assert.equal(await page.getByTestId('ratio').inputValue(), '37.5');
    await page.getByTestId('recipe-show').click();
    const json = page.getByTestId('recipe-json');
    assert.match(await json.inputValue(), /"ratio": 0\.375/);
    await json.fill('{');
    await page.getByTestId('recipe-apply').click();
    await page.getByTestId('recipe-error').getByText('Das ist kein gültiges JSON (').waitFor();
    await noEnglish();
    await page.getByTestId('recipe-revert').click();
    await page.getByTestId('command-show').click();
    for (const field of ['ratio', 'sequences']) {
      const value = await page.getByTestId(field).inputValue();
      await page.getByTestId(field).fill('');
      await page.getByTestId('run').click();
      assert.match(await alertText(page), /muss .* sein; in Schritt 3 ändern\.$/);
      await page.getByTestId('alert-dismiss').click();
      await page.getByTestId(field).fill(value);
    }
    await noEnglish();
    await accessible(page);
  });

  test('a report is laid out', async () => {
    await page.getByTestId('report-open').click();
    await page
      .getByTestId('report')
      .getByText(/^Bericht zum Pruning: bert-sst2$/)
      .waitFor();
    assert.match(await page.getByTestId('report').textContent(), /Gelaufen am \d+\. [A-Z]\p{L}+ \d{4}/u);
    await noEnglish();
    await accessible(page);
    await page.getByTestId('report-close').click();
  });

  test('both models answer', async () => {
    await page.getByTestId('sentence-ask').click();
    await page
      .getByTestId('sentence-status')
      .getByText(/sag(t|en) „/)
      .waitFor();
    await page.getByTestId('sentence-changed').click();
    await page.getByTestId('changes-table').waitFor();
    await noEnglish();
  });

  test('errors of the page are German, those of the core are marked as English', async () => {
    await page.getByTestId('evaluation-rows').fill('0');
    await page.getByTestId('run').click();
    assert.match(await alertText(page), /^Die Zahl der Zeilen zum Vergleich .* in Schritt 2 ändern\.$/);
    await page.getByTestId('evaluation-rows').fill('872');
    await page.getByTestId('seed').fill('904');
    await page.getByTestId('run').click();
    const sentence = page.getByTestId('alert').locator('p[lang="en"]');
    await sentence.waitFor();
    assert.match(await sentence.textContent(), /^The engine failed/);
    await page.getByTestId('alert-dismiss').click();
    await page.getByTestId('seed').fill('905');
    await page.getByTestId('run').click();
    await page.getByTestId('cancel').click();
    await page.getByTestId('status').getByText('Der Lauf wurde abgebrochen').waitFor();
    await page.getByTestId('seed').fill('0');
  });

  test('the walk speaks German from the first step to the last', async () => {
    await page.getByTestId('learn-walk').click();
    for (let step = 0; step < 8; step += 1) {
      await page
        .getByTestId('walk-count')
        .getByText(`Schritt ${step + 1} von 8`)
        .waitFor();
      if (step === 3) {
        await page.getByTestId('walk-run').click();
        await page.getByTestId('walk-result').waitFor();
      }
      // The stand-in engine cannot write this plan as “stock”, so the repairs fail, in German.
      if (step === 5) {
        await page.getByTestId('walk-repairs').click();
        await page.getByTestId('walk-status').getByText('Der Lauf kam nicht zum Ende').waitFor();
        await page.getByTestId('alert-dismiss').click();
      }
      if (step === 6) {
        await page.getByTestId('walk-ratios').click();
        await page.getByTestId('walk-ratios').waitFor({ state: 'detached' });
      }
      await noEnglish();
      if (step < 7) await page.getByTestId('walk-next').click();
    }
    await accessible(page, '.learn');
  });

  test('the lab sheet too; it takes a decimal comma and thousands with points', async () => {
    await page.getByTestId('learn-view-lab').click();
    for (const summary of await page.getByTestId('lab').locator('summary').all()) await summary.click();
    const answer = async (question, text) => {
      await page.getByTestId(`lab-size-${question}`).fill(text);
      await page.getByTestId(`lab-size-${question}-check`).click();
      return page.getByTestId(`lab-size-${question}-said`).textContent();
    };
    assert.match(await answer('share', '63,6'), /^Richtig\. 10\.637\.568 von 16\.733\.570/);
    assert.match(await answer('share', '636,1'), /^Das stimmt nicht\./);
    assert.match(await answer('neuron', '1.200'), /^Das stimmt nicht\./);
    assert.match(await answer('neuron', 'viele'), /^Eine Zahl schreiben/);
    await page.getByTestId('lab-size-neuron').fill('0');
    await page.getByTestId('lab-size-neuron-check').click();
    await page.getByTestId('lab-size-neuron-show').click();
    await noEnglish();
    await accessible(page, '.learn');
    await page.getByTestId('learn-close').click();
  });

  test('nothing is wider than a phone', async () => {
    for (const width of [360, 390, 768]) {
      await page.setViewportSize({ width, height: 800 });
      const wide = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
      assert.ok(wide <= 0, `${wide} pixels over at ${width}`);
    }
  });

  test('another language asks first, and goes there', async () => {
    const link = page.getByTestId('language-en');
    assert.equal(await link.getAttribute('lang'), 'en');
    await link.focus();
    await page.keyboard.press('Enter');
    await page.getByTestId('ask').waitFor();
    await accessible(page);
    assert.equal(await page.evaluate(() => document.activeElement.dataset.testid), 'ask-no');
    await page.keyboard.press('Enter');
    assert.equal(await page.getByTestId('ask').count(), 0);
    assert.equal(await page.evaluate(() => document.activeElement.dataset.testid), 'language-en');
    assert.ok(await page.getByTestId('comparison').isVisible());
    await link.click();
    assert.match(await page.getByTestId('ask').textContent(), /das offene Modell und \d+ Versuche/);
    await Promise.all([page.waitForURL(/lang=en/), page.getByTestId('ask-yes').click()]);
    await ready(page);
    assert.equal(await page.evaluate(() => document.documentElement.lang), 'en');
    assert.match(await page.getByTestId('run').textContent(), /^\s*Prune the model\s*$/);
    // Nothing is lost here, so nothing is asked.
    await Promise.all([page.waitForURL(/lang=de/), page.getByTestId('language-de').click()]);
    await engineRuns(page);
    assert.match(await page.getByTestId('run').textContent(), /^\s*Modell prunen\s*$/);
  });

  test('a decoder writes', async () => {
    await page.getByTestId('demo-llama-stories').click();
    await page.getByTestId('model-map').waitFor();
    await noEnglish();
    await page.getByTestId('max-tokens').fill('5');
    await page.getByTestId('generate').click();
    await page.getByTestId('ending-dense').getByText('So viele Tokens wie verlangt.').waitFor();
    await page.getByTestId('top-p').fill('2');
    await page.getByTestId('generate').click();
    assert.match(await alertText(page), /^Top-p muss über 0 und höchstens 1 sein/);
    await noEnglish();
    await accessible(page);
  });
});

test('a browser that prefers German gets it; one that prefers English never loads it', async () => {
  for (const locale of ['de-CH', 'en-GB']) {
    const site = await open(MOCK, { context: { locale } });
    await engineRuns(site.page);
    const german = locale === 'de-CH';
    assert.equal(await site.page.evaluate(() => document.documentElement.lang), german ? 'de' : 'en');
    assert.equal(
      site.requests.some((address) => /german-[^/]*\.js$/.test(address)),
      german,
    );
    await site.close();
  }
});

test('where the German texts cannot be had, the page says so and speaks English', async () => {
  const site = await open(MOCK, { context: { locale: 'de-DE' }, path: 'methods.html', expectErrors: true });
  await site.page.route(/german-[^/]*\.js$/, (route) => route.abort());
  await site.page.goto(`${site.origin}/`);
  assert.match(await alertText(site.page), /could not be loaded, so it speaks English/);
  await ready(site.page);
  assert.equal(await site.page.evaluate(() => document.documentElement.lang), 'en');
  await site.page.getByTestId('demo-bert-sst2').click();
  await site.page.getByTestId('model-facts').getByText('1,536').waitFor();
  await site.close();
});

test('German has no words for a method that the core does not know', async (t) => {
  const { CHOICES } = await sourceOf('menus/words/de.ts');
  const site = await open(SITE);
  const known = await site.page.evaluate(async () => {
    const { Coppice } = await import('./coppice.js');
    const coppice = await Coppice.start({ device: 'cpu' });
    const names = Object.entries(coppice.catalog).flatMap(([menu, list]) => list.map(({ name }) => `${menu}/${name}`));
    coppice.close();
    return names;
  });
  await site.close();
  assert.deepEqual(
    Object.keys(CHOICES).filter((name) => !known.includes(name)),
    [],
  );
  // A method that has just come speaks the core's English until somebody translates it.
  for (const name of known) if (!(name in CHOICES)) t.diagnostic(`no German words for ${name}`);
});

/** Waits until the engine runs, in any language. */
function engineRuns(page) {
  return page.waitForFunction(() => document.querySelector('[data-testid="device-chip"]').textContent.includes('·'));
}
