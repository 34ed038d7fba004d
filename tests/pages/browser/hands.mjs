// Three ways to use a page: with a mouse, with a finger, and with nothing but the keyboard.
const MOST_TABS = 300;

// The label of an option, which covers it.
const labelOf = (option) => option.locator('xpath=ancestor::label[1]');

export const mouse = {
  press: (control) => control.click(),
  choose: (option) => labelOf(option).click(),
  fill: (field, text) => field.fill(text),
};

export const finger = {
  press: (control) => control.tap(),
  choose: (option) => labelOf(option).tap(),
  fill: async (field, text) => {
    await field.tap();
    await field.fill(text);
  },
};

export const keyboard = {
  async press(control) {
    await reach(control);
    await control.page().keyboard.press('Enter');
  },

  async choose(option) {
    await reach(option);
    await option.page().keyboard.press('Space');
  },

  async fill(field, text) {
    await reach(field);
    await field.page().keyboard.press('ControlOrMeta+A');
    await field.page().keyboard.type(text);
  },
};

// Presses Tab until a control has the focus. A radio button is reached through its group, in which the
// arrow keys move.
async function reach(control) {
  await control.waitFor();
  const keys = control.page().keyboard;
  for (let tabs = 0; tabs < MOST_TABS; tabs += 1) {
    const where = await control.evaluate(whereIsFocus);
    if (where === 'here') return;
    await keys.press(where === 'in its group' ? 'ArrowDown' : 'Tab');
  }
  throw new Error(`${MOST_TABS} times Tab did not reach ${control}`);
}

function whereIsFocus(element) {
  const focused = document.activeElement;
  if (focused === element) return 'here';
  return element.type === 'radio' && focused?.type === 'radio' && focused.name === element.name ? 'in its group' : 'elsewhere';
}
