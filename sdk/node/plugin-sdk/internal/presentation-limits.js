// Fits cards to what a channel can show: too many or too large controls become lists in the text.
import { resolveMessagePresentationActionValue } from './presentation.js';

const limitOf = (value) => (Number.isInteger(value) && value > 0 ? value : undefined);
const least = (...values) => {
  const known = values.filter((value) => value !== undefined);
  return known.length > 0 ? Math.min(...known) : undefined;
};
const short = (text, max) => (limitOf(max) ? Array.from(text).slice(0, max).join('') : text);
const bytes = (text) => Buffer.byteLength(text, 'utf8');

function shortText(text, limits) {
  const max = limitOf(limits?.maxLength);
  if (!max) return text;
  if (limits.encoding === 'utf16-units') return text.slice(0, max);
  if (limits.encoding !== 'utf8-bytes') return short(text, max);
  let out = '';
  for (const char of text) {
    if (bytes(out) + bytes(char) > max) break;
    out += char;
  }
  return out;
}

/** A control whose values are not too long; `undefined` when it could do nothing. */
function fitting(control, limits, isLink) {
  const fits = (value) => value !== undefined && (!value || !limitOf(limits?.maxValueBytes) || bytes(value) <= limits.maxValueBytes);
  const action = resolveMessagePresentationActionValue(control.action);
  if (!fits(control.value) && !fits(action) && !isLink) return undefined;
  const { value, action: given, ...rest } = control;
  return {
    ...rest,
    label: short(control.label, limits?.maxLabelLength),
    ...(value !== undefined && fits(value) ? { value } : {}),
    ...(given !== undefined && (action === undefined || fits(action)) ? { action: given } : {}),
  };
}

function fittingButton(button, limits) {
  if (button.disabled === true && limits?.supportsDisabled !== true) return undefined;
  const made = fitting(button, limits, Boolean(button.url || button.webApp || button.web_app));
  if (made && limits?.supportsStyles === false) delete made.style;
  return made;
}

function listBlock(type, heading, labels, max) {
  const lines = labels.map((label) => short(label, max).trim()).filter(Boolean).map((label) => `- ${label}`);
  return lines.length > 0 ? [{ type, text: `${heading}:\n${lines.join('\n')}` }] : [];
}
function buttonLabel(button, max) {
  const target = button.url ?? button.webApp?.url ?? button.web_app?.url;
  return short(button.label, max) + (target ? `: ${target}` : '');
}

/** How many controls are left to show. */
function createBudget(limits) {
  const perRow = limitOf(limits?.maxActionsPerRow);
  let [actions, rows] = [limitOf(limits?.maxActions), limitOf(limits?.maxRows)];
  const take = (count, lines) => {
    if (actions !== undefined) actions = Math.max(0, actions - count);
    if (rows !== undefined) rows = Math.max(0, rows - lines);
  };
  return {
    buttons: () => (actions === 0 || rows === 0 ? 0 : least(actions, rows && perRow ? rows * perRow : undefined)),
    open: () => actions !== 0 && rows !== 0,
    takeButtons: (count) => count > 0 && take(count, Math.ceil(count / (perRow ?? count))),
    takeSelect: () => take(1, 1),
  };
}

/** The most wanted candidates, those of equal weight in their order. */
const mostWanted = (candidates, count) =>
  count === undefined || candidates.length <= count ? candidates : candidates.toSorted((a, b) => (b.made.priority ?? 0) - (a.made.priority ?? 0)).slice(0, count);

const rowsOf = (items, size) => Array.from({ length: Math.ceil(items.length / (size ?? items.length)) }, (_none, row) => items.slice(row * (size ?? items.length), (row + 1) * (size ?? items.length)));

function adaptButtons({ buttons }, limits, budget, listType, chosen) {
  const candidates = buttons.map((button) => ({ button, made: fittingButton(button, limits) }));
  const shown = mostWanted(candidates.filter(({ button, made }) => made && (!chosen || chosen.has(button))), budget.buttons());
  budget.takeButtons(shown.length);
  const left = candidates.filter((candidate) => !shown.includes(candidate)).map(({ button }) => buttonLabel(button, limits?.maxLabelLength));
  const blocks = shown.length > 0 ? rowsOf(shown.map(({ made }) => made), limitOf(limits?.maxActionsPerRow)).map((row) => ({ type: 'buttons', buttons: row })) : [];
  return [...blocks, ...listBlock(listType, 'Actions', left)];
}

function optionsOf({ options }, limits) {
  const fits = options.map((option) => ({ option, made: fitting(option, limits) }));
  return { all: fits, shown: fits.filter(({ made }) => made).slice(0, limitOf(limits?.maxOptions)) };
}

function adaptSelect(block, limits, budget, listType) {
  const { all, shown } = optionsOf(block, limits);
  const visible = shown.length > 0 && budget.open();
  const left = (visible ? all.filter((entry) => !shown.includes(entry)) : all).map(({ option }) => option.label);
  const list = listBlock(listType, block.placeholder ?? 'Options', left, limits?.maxLabelLength);
  if (!visible) return list;
  budget.takeSelect();
  return [{ type: 'select', placeholder: short(block.placeholder ?? '', limits?.maxLabelLength) || undefined, options: shown.map(({ made }) => made) }, ...list];
}

/** The buttons that are shown of all blocks, when not all can be: choices come first. */
function chooseButtons(blocks, capabilities) {
  const limits = capabilities?.limits?.actions;
  if (capabilities?.buttons === false) return undefined;
  const selects = capabilities?.selects === false ? 0 : blocks.filter((block) => block.type === 'select' && optionsOf(block, capabilities?.limits?.selects).shown.length > 0).length;
  const rest = (value) => (limitOf(value) === undefined ? undefined : Math.max(0, value - selects));
  const perRow = limitOf(limits?.maxActionsPerRow);
  const rows = rest(limits?.maxRows);
  const room = least(rest(limits?.maxActions), rows !== undefined && perRow ? rows * perRow : undefined);
  const candidates = blocks.filter(({ type }) => type === 'buttons').flatMap(({ buttons }) => buttons.map((button) => ({ button, made: fittingButton(button, limits) }))).filter(({ made }) => made);
  return room === undefined || candidates.length <= room ? undefined : new Set(mostWanted(candidates, room).map(({ button }) => button));
}

/** A card as a channel can show it. @param {{presentation: any, capabilities?: any}} params @returns {any} */
export function adaptMessagePresentationForChannel({ presentation, capabilities }) {
  const { actions, selects, text } = capabilities?.limits ?? {};
  const budget = createBudget(actions);
  const listType = capabilities?.context === false ? 'text' : 'context';
  const chosen = chooseButtons(presentation.blocks, capabilities);
  const adapt = (block) => {
    if (block.type === 'buttons') {
      if (capabilities?.buttons !== false) return adaptButtons(block, actions, budget, listType, chosen);
      return listBlock(listType, 'Actions', block.buttons.map((button) => buttonLabel(button, actions?.maxLabelLength)));
    }
    if (block.type === 'select') {
      if (capabilities?.selects !== false) return adaptSelect(block, selects, budget, listType);
      return listBlock(listType, block.placeholder ?? 'Options', block.options.map(({ label }) => label), selects?.maxLabelLength);
    }
    if (block.type === 'divider') return capabilities?.divider === false ? [] : [block];
    return [block.type === 'context' && capabilities?.context === false ? { type: 'text', text: block.text } : block];
  };
  const blocks = presentation.blocks.flatMap(adapt).map((block) => (['text', 'context'].includes(block.type) ? { ...block, text: shortText(block.text, text) } : block));
  return { ...presentation, ...(presentation.title ? { title: shortText(presentation.title, text) } : {}), blocks };
}

/** The buttons that a channel can show. @param {any[]} buttons @param {any} [capabilities] @returns {any[]} */
export const applyPresentationActionLimits = (buttons, capabilities) => {
  const limits = capabilities?.limits?.actions;
  return adaptButtons({ buttons }, limits, createBudget(limits), 'context').flatMap((block) => (block.type === 'buttons' ? block.buttons : []));
};

/** How many items a page of buttons holds beside some that are always there. @param {any} capabilities @param {number} [reserved] @param {number} [max] @returns {number} */
export function presentationPageSize(capabilities, reserved = 0, max = Infinity) {
  const limits = capabilities?.limits?.actions;
  const rows = limitOf(limits?.maxRows) && limitOf(limits?.maxActionsPerRow) ? limits.maxRows * limits.maxActionsPerRow : undefined;
  const room = Math.max(0, (least(limitOf(limits?.maxActions), rows) ?? max) - Math.max(0, reserved));
  return Math.max(1, Math.min(room || 1, max));
}
