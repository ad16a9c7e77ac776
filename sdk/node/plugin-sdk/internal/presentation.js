// Cards of messages: texts, buttons and choices, in the form that channels share.
import { asOptionalRecord, normalizeOptionalLowercaseString, normalizeOptionalString } from './strings.js';

const oneOf = (value, words) => {
  const word = normalizeOptionalLowercaseString(value);
  return words.includes(word) ? word : undefined;
};
const set = (members) => Object.fromEntries(Object.entries(members).filter(([, value]) => value !== undefined && value !== false));

/** What a control sends: its action's, else its value. @param {any} action @returns {string|undefined} */
export function resolveMessagePresentationActionValue(action) {
  if (action?.type === 'command') return action.command;
  return action?.type === 'callback' ? action.value : undefined;
}
/** @param {{action?: any, value?: string}} control @returns {string|undefined} */
export const resolveMessagePresentationControlValue = ({ action, value }) => resolveMessagePresentationActionValue(action) ?? value;

function actionOf(raw) {
  const record = asOptionalRecord(raw);
  const type = oneOf(record?.type, ['command', 'callback']);
  const member = type === 'command' ? 'command' : 'value';
  const value = type && normalizeOptionalString(record[member]);
  return value ? { type, [member]: value } : undefined;
}

const labelOf = (record) => normalizeOptionalString(record.label) ?? normalizeOptionalString(record.text);

function buttonOf(raw) {
  const record = asOptionalRecord(raw);
  if (!record) return undefined;
  const app = normalizeOptionalString((asOptionalRecord(record.webApp) ?? asOptionalRecord(record.web_app))?.url);
  const target = {
    action: actionOf(record.action),
    value: [record.value, record.callbackData, record.callback_data].map(normalizeOptionalString).find(Boolean),
    url: normalizeOptionalString(record.url),
    webApp: app && { url: app },
  };
  const label = labelOf(record);
  if (!label || !Object.values(target).some(Boolean)) return undefined;
  const flags = { priority: Number.isFinite(record.priority) ? record.priority : undefined, disabled: record.disabled === true, reusable: record.reusable === true };
  return { label, ...set(target), ...set(flags), style: oneOf(record.style, ['primary', 'secondary', 'success', 'danger']) };
}

function optionOf(raw) {
  const record = asOptionalRecord(raw);
  const action = actionOf(record?.action);
  const value = normalizeOptionalString(record?.value) ?? resolveMessagePresentationActionValue(action);
  const label = record && labelOf(record);
  return label && value ? { label, ...(action ? { action } : {}), value } : undefined;
}

const listOf = (value, make) => (Array.isArray(value) ? value.map(make).filter(Boolean) : []);

function blockOf(raw, texts) {
  const record = asOptionalRecord(raw);
  const type = normalizeOptionalLowercaseString(record?.type);
  if (texts.includes(type)) {
    const text = normalizeOptionalString(record.text);
    return text ? { type, text } : undefined;
  }
  if (type === 'divider' && texts.includes('context')) return { type };
  if (type === 'buttons') {
    const buttons = listOf(record.buttons, buttonOf);
    return buttons.length > 0 ? { type, buttons } : undefined;
  }
  const options = type === 'select' ? listOf(record.options, optionOf) : [];
  return options.length > 0 ? { type, placeholder: normalizeOptionalString(record.placeholder), options } : undefined;
}

/** A card from what a tool or model wrote; `undefined` when nothing of it is usable. @param {unknown} raw @returns {any} */
export function normalizeMessagePresentation(raw) {
  const record = asOptionalRecord(raw);
  const blocks = listOf(record?.blocks, (block) => blockOf(block, ['text', 'context']));
  const title = normalizeOptionalString(record?.title);
  if (!title && blocks.length === 0) return undefined;
  return { ...(title ? { title } : {}), tone: oneOf(record.tone, ['info', 'success', 'warning', 'danger', 'neutral']), blocks };
}
/** The older form. @param {unknown} raw @returns {any} */
export function normalizeInteractiveReply(raw) {
  const blocks = listOf(asOptionalRecord(raw)?.blocks, (block) => blockOf(block, ['text']));
  return blocks.length > 0 ? { blocks } : undefined;
}
/** @param {unknown} value @returns {boolean} */
export const hasMessagePresentationBlocks = (value) => normalizeMessagePresentation(value) !== undefined;
/** @param {unknown} value @returns {boolean} */
export const hasInteractiveReplyBlocks = (value) => normalizeInteractiveReply(value) !== undefined;
/** @param {{type: string}} block @returns {boolean} */
export const isMessagePresentationInteractiveBlock = ({ type }) => type === 'buttons' || type === 'select';

function buttonReply(button) {
  const webApp = button.webApp ?? button.web_app;
  return {
    label: button.label,
    style: button.style,
    ...set({
      action: button.action || undefined,
      value: button.value || resolveMessagePresentationActionValue(button.action),
      url: button.url || undefined,
      webApp: webApp || undefined,
      priority: button.priority,
      disabled: button.disabled === true,
      reusable: button.reusable === true,
    }),
  };
}

/** A card in the older form. @param {any} presentation @returns {any} */
export function presentationToInteractiveReply({ title, blocks }) {
  const out = title ? [{ type: 'text', text: title }] : [];
  for (const block of blocks) {
    if (block.type === 'text' || block.type === 'context') out.push({ type: 'text', text: block.text });
    if (block.type === 'buttons') {
      const buttons = block.buttons.filter(({ action, value, url, webApp, web_app: app }) => action || value || url || webApp || app).map(buttonReply);
      if (buttons.length > 0) out.push({ type: 'buttons', buttons });
    }
    if (block.type === 'select') {
      const options = block.options.map((option) => ({ label: option.label, value: resolveMessagePresentationControlValue(option) ?? option.value, ...(option.action ? { action: option.action } : {}) }));
      out.push({ type: 'select', placeholder: block.placeholder, options });
    }
  }
  return out.length > 0 ? { blocks: out } : undefined;
}
/** Only its controls. @param {any} presentation @returns {any} */
export const presentationToInteractiveControlsReply = ({ blocks }) => presentationToInteractiveReply({ blocks: blocks.filter(isMessagePresentationInteractiveBlock) });

/** A card from the older form. @param {any} interactive @returns {any} */
export function interactiveReplyToPresentation({ blocks }) {
  const converted = blocks.map((block) => {
    if (block.type === 'text') return { type: 'text', text: block.text };
    return block.type === 'buttons' ? { type: 'buttons', buttons: block.buttons } : { type: 'select', placeholder: block.placeholder, options: block.options };
  });
  return converted.length > 0 ? { blocks: converted } : undefined;
}

const bullets = (labels) => labels.map((label) => `- ${label}`).join('\n');
function blockText(block) {
  if (block.type === 'text' || block.type === 'context') return block.text;
  if (block.type === 'buttons') {
    return bullets(block.buttons.map(({ label, url, webApp, web_app: app }) => {
      const target = url ?? webApp?.url ?? app?.url;
      return target ? `${label}: ${target}` : label;
    }).filter(Boolean));
  }
  const labels = block.type === 'select' ? block.options.map(({ label }) => label).filter(Boolean) : [];
  return labels.length > 0 ? `${block.placeholder || 'Options'}:\n${bullets(labels)}` : '';
}

/** A card as plain text. @param {{text?: string|null, presentation?: any, emptyFallback?: string|null}} params @returns {string} */
export function renderMessagePresentationFallbackText({ text, presentation, emptyFallback }) {
  const lines = [normalizeOptionalString(text), presentation?.title, ...(presentation?.blocks ?? []).map(blockText)].filter(Boolean);
  return lines.join('\n\n') || (presentation && normalizeOptionalString(emptyFallback)) || '';
}

/** The text of a reply, or that of its older card. @param {{text?: string, interactive?: any}} params @returns {string|undefined} */
export function resolveInteractiveTextFallback({ text, interactive }) {
  if (normalizeOptionalString(text)) return text;
  const texts = (interactive?.blocks ?? []).filter(({ type }) => type === 'text').map((block) => block.text.trim()).filter(Boolean);
  return texts.join('\n\n') || text;
}

/** Goes through the blocks of an older card. @template T @param {any} interactive @param {T} initialState @param {(state: T, block: any, index: number) => T} reduce @returns {T} */
export const reduceInteractiveReply = (interactive, initialState, reduce) => (interactive?.blocks ?? []).reduce((state, block, index) => reduce(state, block, index), initialState);

/** Whether there is data for a channel. @param {unknown} value @returns {boolean} */
export const hasReplyChannelData = (value) => Object.keys(asOptionalRecord(value) ?? {}).length > 0;

/** Whether a reply has anything to send. @param {any} params @returns {boolean} */
export const hasReplyContent = ({ text, mediaUrl, mediaUrls, presentation, interactive, hasChannelData, extraContent }) =>
  Boolean([text, mediaUrl, ...(mediaUrls ?? [])].some((value) => normalizeOptionalString(value)) || hasMessagePresentationBlocks(presentation) || hasInteractiveReplyBlocks(interactive) || hasChannelData || extraContent);
