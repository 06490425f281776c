/** What the page says of links that hold recipe and view. */
export const WORDS = {
  copy: 'Copy a link',
  label: 'Link to recipe and view',
  hint: 'A link holds recipe and view: no model, no text, no name of a file. It stands behind the # of the address, which browsers keep to themselves.',
  copied: 'The link is copied.',
  copyByHand: 'Copy the link by hand.',
  tooLong:
    'This recipe is too long for a link, since it lists units one by one; save it as recipe.json, and pass that file on.',
  otherVersion: 'This link was made by another version of Coppice; ask for a new one, or for the recipe as a file.',
  broken: 'This link is cut off or changed, so nothing of it was taken; ask for it again, or for the recipe as a file.',
  unzipped:
    'This link is packed in a way that this browser does not know, so nothing of it was taken; ask for the recipe as a file.',
  wrongRecipe: (why: string) => `Nothing of this link was taken, since its recipe is not right: ${why}`,
  busy: 'A run is under way, so the link was not taken; open it again when the run has ended, or in another tab.',
  restored: 'Recipe and view are those of the link.',
  ownModel: 'It came without a model; choose yours in step 1.',
  ownText: 'It came without the text of its own that it was made with; choose one in step 2.',
};
