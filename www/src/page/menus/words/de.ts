import type { Named } from './en.ts';

/** A choice that is not here, since the core has learned it since, keeps the core's English words. */
export const CHOICES: Readonly<Record<string, Named>> = {
  'criteria/fisher': [
    'Fisher-Information',
    'Wie stark die Ausgabe einer Einheit den Verlust einzelner Texte der Kalibrierung bewegt: quadrierte Gradienten, gemittelt (Kwon et al., 2022).',
  ],
  'criteria/flap': [
    'FLAP (Schwankung)',
    'Wie sehr die Ausgabe einer Einheit über den Text der Kalibrierung schwankt, gewichtet mit dem, was sie liest (An et al., 2024).',
  ],
  'criteria/kcm': [
    'KCM (Kernelised Convex Masking)',
    'Wie wenig sich eine Einheit durch andere ihresgleichen darstellen lässt, mal wie aktiv sie über den Text der Kalibrierung ist (KCM, 2023).',
  ],
  'criteria/kprune': [
    'K-prune (Wissen)',
    'Was das Entfernen einer Einheit an den Vorhersagen des Modells und an den Ausgaben ihrer Schicht ändert (Park et al., 2024).',
  ],
  'criteria/magnitude': [
    'Betrag',
    'Die Größe der eigenen Gewichte einer Einheit, vor und nach ihr; sieht keine Daten an (Han et al., 2015).',
  ],
  'criteria/obs': [
    'OBS (genauer Fehler einer Einheit)',
    'Der Fehler der Ausgabe, der bleibt, wenn nur diese Einheit wegfällt und die anderen für sie eintreten (Optimal Brain Surgeon, nach Einheiten).',
  ],
  'criteria/optin': [
    'OPTIN (Trajektorie)',
    'Wie weit das Weglassen einer Einheit die Merkmale der Schichten darüber und die Antworten bewegt; das Modell läuft einmal je Einheit (Khaki und Plataniotis, 2024).',
  ],
  'criteria/osscar': [
    'OSSCAR (gierig)',
    'Entfernt eine Einheit nach der anderen, jedes Mal die, für die die anderen am besten eintreten können (OSSCAR, 2024).',
  ],
  'criteria/random': [
    'Zufall',
    'Zufällige Einheiten, nach dem Seed der Kalibrierung: was jedes andere Kriterium übertreffen sollte.',
  ],
  'criteria/second_moment': [
    'Zweites Moment',
    'Wie groß die Ausgabe einer Einheit über den Text der Kalibrierung ist, gewichtet mit dem, was sie liest (Greedy Output Approximation, 2025).',
  ],
  'criteria/snip': [
    'SNIP (Gradient)',
    'Wie sehr das Entfernen einer Einheit den Verlust über den ganzen Text der Kalibrierung ändern würde, in erster Ordnung (Lee et al., 2019).',
  ],
  'criteria/wanda_sp': [
    'Wanda-sp',
    'Mittlere Größe dessen, was einen Kanal liest, mal wie groß der Kanal über den Text der Kalibrierung ist (Wanda nach ganzen Einheiten, 2024).',
  ],

  'allocations/uniform': [
    'Gleichmäßig',
    'Jede Schicht verliert denselben Anteil; die Breite des FFN gleicht aus, was ganze Heads runden.',
  ],
  'allocations/global': [
    'Global',
    'Einheiten aller Schichten konkurrieren mit ihren Scores, innerhalb jeder Schicht standardisiert (AL-AM von FLAP; An et al., 2024).',
  ],
  'allocations/parameters': [
    'Suche mit Budget an Parametern',
    'Heads und Neuronen aller Schichten, die unter einem Budget an Parametern die größte Summe der Scores behalten (Kwon et al., 2022).',
  ],
  'allocations/flops': [
    'Suche mit Budget an FLOPs',
    'Heads und Neuronen aller Schichten, die die größte Summe der Scores behalten; der Anteil ist einer der FLOPs (Kwon et al., 2022).',
  ],
  'allocations/latency': [
    'Suche mit Budget an Zeit',
    'Heads und Neuronen aller Schichten, die die größte Summe der Scores behalten; der Anteil ist einer der Zeit, auf diesem Gerät gemessen.',
  ],
  'allocations/sensitivity': [
    'Empfindlichkeit',
    'Jede Teilschicht wird allein geprunt, um zu sehen, wie weit sich die Antworten bewegen; Parameter fallen dort weg, wo es am wenigsten kostet.',
  ],

  'reconstructions/none': ['Keine', 'Die übrigen Gewichte bleiben, wie sie sind.'],
  'reconstructions/bias': [
    'Bias-Ausgleich',
    'Der Mittelwert dessen, was wegfiel, kommt zum Bias hinzu (FLAP; An et al., 2024).',
  ],
  'reconstructions/mask_tuning': [
    'Mask Tuning',
    'Ein Faktor für jede bleibende Einheit, mit gedämpften kleinsten Quadraten (Kwon et al., 2022).',
  ],
  'reconstructions/liar': [
    'LIAR (lineare Interpolation)',
    'Die bleibenden Gewichte übernehmen, was sich aus ihnen interpolieren lässt, mit gedämpften kleinsten Quadraten und einem Bias (LIAR, 2024).',
  ],

  'weight_criteria/magnitude': [
    'Betrag',
    'Die Größe des Gewichts, in der ganzen Schicht verglichen; sieht keinen Text an (2015).',
  ],
  'weight_criteria/wanda': [
    'Wanda',
    'Die Größe des Gewichts mal wie groß seine Eingabe über den Text der Kalibrierung ist, innerhalb jeder Ausgabe verglichen (2024).',
  ],
  'weight_criteria/ria': [
    'RIA',
    'Der Anteil des Gewichts an seiner Zeile und seiner Spalte, mal die Wurzel der Größe seiner Eingabe, in der ganzen Schicht verglichen (2024).',
  ],
  'weight_criteria/sparsegpt': [
    'SparseGPT',
    'Was das Entfernen kostet, wenn spätere Gewichte der Zeile dafür eintreten, in allen Zeilen von 128 Eingaben verglichen (2023).',
  ],

  'patterns/unstructured': ['Unstrukturiert', 'Nullen, wo immer die Scores am kleinsten sind.'],
  'patterns/2:4': [
    '2:4',
    'Zwei Nullen in je vier aufeinander folgenden Eingaben einer Ausgabe, wie Tensor-Cores sie wollen.',
  ],
  'patterns/4:8': ['4:8', 'Vier Nullen in je acht aufeinander folgenden Eingaben einer Ausgabe.'],

  'sparsity_allocations/uniform': ['Gleichmäßig', 'Derselbe Anteil an Nullen in jeder linearen Schicht.'],
  'sparsity_allocations/owl': [
    'OWL',
    'Blöcke mit mehr Ausreißern unter den Scores von Wanda behalten mehr; ein weiterer Durchgang durch den Text (2024).',
  ],
  'sparsity_allocations/alpha': [
    'AlphaPruning',
    'Blöcke, deren Gewichte Spektren mit schwererem Schwanz haben, behalten mehr; sieht keinen Text an (2024).',
  ],
  'sparsity_allocations/adaptive': [
    'Nach Zeilen',
    'Jede Zeile verliert denselben Anteil ihrer Scores: Zeilen mit vielen kleinen werden dünner (Variante von Wanda, 2024).',
  ],
  'sparsity_allocations/trim': [
    'TRIM',
    'Zeilen, deren Ausgaben ihre Richtung behalten, verlieren mehr, soweit die Schicht die ihre behält (2025).',
  ],
  'sparsity_allocations/curves': [
    'Fehlerkurven',
    'Jede Null dort, wo sie den quadratischen Fehler der Ausgaben der Schicht am wenigsten erhöht; ein Preis für alle Zeilen.',
  ],

  'layer_budgets/uniform': ['Gleichmäßig', 'Derselbe Anteil an Nullen in jeder linearen Schicht.'],
  'layer_budgets/owl': [
    'OWL',
    'Blöcke mit mehr Ausreißern unter den Scores von Wanda behalten mehr; ein weiterer Durchgang durch den Text (2024).',
  ],
  'layer_budgets/alpha': [
    'AlphaPruning',
    'Blöcke, deren Gewichte Spektren mit schwererem Schwanz haben, behalten mehr; sieht keinen Text an (2024).',
  ],

  'updates/none': ['Keines', 'Die bleibenden Gewichte werden nicht geändert.'],
  'updates/sparsegpt': [
    'SparseGPT',
    'Für jedes entfernte Gewicht treten die rechts von ihm ein, Spalte für Spalte (2023).',
  ],
  'updates/refit': [
    'Neu anpassen',
    'Alle bleibenden Gewichte werden an die Ausgaben der dichten Schicht angepasst, mit konjugierten Gradienten (wie in ALPS, 2024).',
  ],
  'updates/dsnot': [
    'DSnoT',
    'Tauscht Nullen gegen Gewichte, bis jede Ausgabe ihren Mittelwert wieder hat; kein Gewicht ändert seinen Wert (2024).',
  ],

  'factorisations/whitened': [
    'Whitened',
    'Behält die Richtungen der Ausgabe, die auf dem Text der Kalibrierung die meiste Energie tragen: der kleinste Fehler bei jedem Rang.',
  ],
  'factorisations/asvd': [
    'ASVD',
    'Behält die größten Singulärwerte des Gewichts, dessen Eingaben mit der Wurzel ihrer mittleren Größe skaliert sind.',
  ],
  'factorisations/svd': ['SVD', 'Behält die größten Singulärwerte des Gewichts, was es auch liest: die Grundlinie.'],

  'rank_allocations/uniform': ['Gleichmäßig', 'Jede Schicht behält denselben Anteil ihrer Parameter.'],
  'rank_allocations/global': [
    'Global',
    'Ein Preis je Parameter für alle Schichten: Ränge gehen dorthin, wo sie am meisten von dem Fehler nehmen, den die Antworten spüren.',
  ],
  'rank_allocations/soft_threshold': [
    'Weiche Schwelle',
    'Eine gelernte Schwelle je Schicht schließt Tore auf Singulärwerten, bis das Budget erreicht ist (SoftLMs, ohne Gewichte zu trainieren).',
  ],

  'outputs/stock': [
    'Stock',
    'Lädt in unverändertem Transformers ohne weiteren Code; was dessen Config nicht sagen kann, wird abgelehnt oder mit Nullen aufgefüllt.',
  ],
  'outputs/sliced': [
    'Sliced',
    'Beliebige Breiten, Schicht für Schicht; lädt mit einer kleinen Python-Datei, die beiliegt, mit trust_remote_code.',
  ],
  'outputs/masked': [
    'Masked',
    'Die Formen der Eingabe, mit Nullen; lädt in unverändertem Transformers und ist weder kleiner noch schneller.',
  ],
  'outputs/packed': [
    'Packed',
    'Ein Bit je Gewicht und die Gewichte, die nicht null sind: eine kleinere Datei, die zum Laufen ausgepackt wird, also nicht schneller.',
  ],
  'outputs/dense': [
    'Dense',
    'Niedrige Ränge ausmultipliziert; lädt in unverändertem Transformers und ist weder kleiner noch schneller.',
  ],
  'outputs/factored': [
    'Factored',
    'Niedrige Ränge als zwei Matrizen: kleiner, und schneller, wo die Ränge deutlich unter der halben Breite liegen; lädt mit trust_remote_code.',
  ],
};
