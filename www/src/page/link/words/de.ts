import type { Translated } from '../../catalogue.ts';
import type { WORDS as ENGLISH } from './en.ts';

export const WORDS: Translated<typeof ENGLISH> = {
  copy: 'Link kopieren',
  label: 'Link zu Rezept und Ansicht',
  hint: 'Ein Link enthält Rezept und Ansicht: kein Modell, keinen Text, keinen Dateinamen. Er steht hinter dem # der Adresse, das Browser für sich behalten.',
  copied: 'Der Link ist kopiert.',
  copyByHand: 'Den Link von Hand kopieren.',
  tooLong:
    'Dieses Rezept ist zu lang für einen Link, da es Einheiten einzeln aufzählt; als recipe.json speichern und diese Datei weitergeben.',
  otherVersion:
    'Dieser Link stammt von einer anderen Version von Coppice; um einen neuen bitten, oder um das Rezept als Datei.',
  broken:
    'Dieser Link ist abgeschnitten oder verändert, darum wurde nichts daraus übernommen; noch einmal um ihn bitten, oder um das Rezept als Datei.',
  unzipped:
    'Dieser Link ist so gepackt, wie dieser Browser es nicht kennt, darum wurde nichts daraus übernommen; um das Rezept als Datei bitten.',
  wrongRecipe: (why: string) => `Aus diesem Link wurde nichts übernommen, da sein Rezept nicht stimmt: ${why}`,
  busy: 'Ein Lauf ist im Gang, darum wurde der Link nicht übernommen; ihn nach dem Ende des Laufs noch einmal öffnen, oder in einem anderen Tab.',
  restored: 'Rezept und Ansicht sind die des Links.',
  ownModel: 'Er kam ohne Modell; das eigene in Schritt 1 wählen.',
  ownText: 'Er kam ohne den eigenen Text, mit dem er gemacht wurde; einen in Schritt 2 wählen.',
};
