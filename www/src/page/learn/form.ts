/** Values of fields by the names that the recipe form gives them; for checkboxes, whether they are ticked. */
export type Fields = Record<string, string | number | boolean | readonly string[]>;

/**
 * Sets fields of the recipe form as a person would; the form notices by the event. An array ticks those of a group of checkboxes
 * that it lists. A menu without the value, or a field that the form does not have, stays as it is.
 */
export function setForm(fields: Fields): void {
  const form = document.querySelector<HTMLFormElement>('#recipe-form');
  if (!form) return;
  for (const [name, value] of Object.entries(fields)) {
    for (const field of form.querySelectorAll<HTMLInputElement | HTMLSelectElement>(`[name="${name}"]`)) {
      if (field instanceof HTMLSelectElement) {
        if ([...field.options].some((option) => option.value === String(value))) field.value = String(value);
      } else if (field.type === 'checkbox') {
        field.checked = Array.isArray(value) ? value.includes(field.value) : value === true;
      } else {
        field.value = String(value);
      }
      field.dispatchEvent(new Event('input', { bubbles: true }));
    }
  }
}
