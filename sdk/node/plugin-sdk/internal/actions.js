// Parameters and results of tools and of message actions.
import { asPositiveSafeInteger, parseStrictFiniteNumber } from './numbers.js';
import { readStringValue } from './strings.js';

/** A tool was called with wrong arguments. */
export class ToolInputError extends Error {
  constructor(message) {
    super(message);
    this.name = 'ToolInputError';
    this.status = 400;
  }
}

/** A tool was called by somebody who may not. */
export class ToolAuthorizationError extends ToolInputError {
  constructor(message) {
    super(message);
    this.name = 'ToolAuthorizationError';
    this.status = 403;
  }
}

const snakeCase = (key) => key.replace(/([A-Z]+)([A-Z][a-z])/g, '$1_$2').replace(/([a-z0-9])([A-Z])/g, '$1_$2').toLowerCase();

function rawParam(params, key) {
  for (const name of [key, snakeCase(key)]) if (Object.hasOwn(params, name)) return params[name];
  return undefined;
}

function absent(required, label) {
  if (required) throw new ToolInputError(`${label} required`);
  return undefined;
}

/** A text parameter, in camel or snake case. */
export function readStringParam(params, key, { required = false, trim = true, label = key, allowEmpty = false } = {}) {
  const raw = rawParam(params, key);
  if (typeof raw !== 'string') return absent(required, label);
  const value = trim ? raw.trim() : raw;
  return value || allowEmpty ? value : absent(required, label);
}

/** A text parameter that may be given as a number. */
export function readStringOrNumberParam(params, key, { required = false, label = key } = {}) {
  const raw = rawParam(params, key);
  if (Number.isFinite(raw)) return String(raw);
  return (typeof raw === 'string' && raw.trim()) || absent(required, label);
}

/** A number parameter that may be given as text. */
export function readNumberParam(params, key, options = {}) {
  const { required = false, label = key, integer = false, strict = false, positiveInteger = false, nonNegativeInteger = false } = options;
  const raw = rawParam(params, key);
  let value = Number.isFinite(raw) ? raw : undefined;
  if (typeof raw === 'string' && raw.trim()) value = strict ? parseStrictFiniteNumber(raw) : Number.parseFloat(raw.trim());
  if (!Number.isFinite(value)) return absent(required, label);
  if (positiveInteger) return asPositiveSafeInteger(value);
  if (nonNegativeInteger) return Number.isSafeInteger(value) && value >= 0 ? value : undefined;
  return integer ? Math.trunc(value) : value;
}

/** A parameter that must be a positive integer when given. */
export function readPositiveIntegerParam(params, key, { message = `${key} must be a positive integer`, max = Infinity } = {}) {
  const value = readNumberParam(params, key, { positiveInteger: true, strict: true });
  const given = rawParam(params, key) != null;
  if ((value === undefined && given) || value > max) throw new ToolInputError(message);
  return value;
}

/** A parameter that must be a whole number from 0 when given. @param {any} params @param {string} key @param {{message?: string, max?: number}} [options] @returns {number|undefined} */
export function readNonNegativeIntegerParam(params, key, { message = `${key} must be a non-negative integer`, max = Infinity } = {}) {
  const value = readNumberParam(params, key, { nonNegativeInteger: true, strict: true });
  if ((value === undefined && rawParam(params, key) != null) || value > max) throw new ToolInputError(message);
  return value;
}

/** A parameter that must be a finite number when given. @param {any} params @param {string} key @param {{message?: string, min?: number, minExclusive?: boolean, max?: number, maxExclusive?: boolean}} [options] @returns {number|undefined} */
export function readFiniteNumberParam(params, key, { message = `${key} must be a finite number`, min = -Infinity, minExclusive, max = Infinity, maxExclusive } = {}) {
  const value = readNumberParam(params, key, { strict: true });
  const outside = value < min || value > max || (minExclusive && value === min) || (maxExclusive && value === max);
  if (outside || (value === undefined && rawParam(params, key) != null)) throw new ToolInputError(message);
  return value;
}

/** A list of texts, or one text as a list. */
export function readStringArrayParam(params, key, { required = false, label = key } = {}) {
  const raw = rawParam(params, key);
  const list = typeof raw === 'string' ? [raw] : Array.isArray(raw) ? raw.filter((item) => typeof item === 'string') : [];
  const values = list.map((item) => item.trim()).filter(Boolean);
  return values.length > 0 ? values : absent(required, label);
}

/** The emoji of a reaction, and whether it is to be removed. */
export function readReactionParams(params, { emojiKey = 'emoji', removeKey = 'remove', removeErrorMessage }) {
  const remove = params[removeKey] === true;
  const emoji = readStringParam(params, emojiKey, { required: true, allowEmpty: true });
  if (remove && !emoji) throw new ToolInputError(removeErrorMessage);
  return { emoji, remove, isEmpty: !emoji };
}

export const resolveReactionMessageId = ({ args, toolContext }) => readStringOrNumberParam(args, 'messageId') ?? toolContext?.currentMessageId;

/** A tool result with the value as text for the model, and as details. */
export const jsonResult = (payload) => textResult(JSON.stringify(payload, null, 2), payload);
export const textResult = (text, details) => ({ content: [{ type: 'text', text }], details });

/** Whether an action is switched on. */
export const createActionGate =
  (actions) =>
  (key, defaultValue = true) =>
    actions?.[key] === undefined ? defaultValue : actions[key] !== false;

/** Whether any of several settings switches an action on. */
export const createUnionActionGate =
  (accounts, createGate) => {
    const gates = accounts.map((account) => createGate(account));
    return (key, defaultValue = true) => gates.some((gate) => gate(key, defaultValue));
  };

/** The target of a send action, or `null` when the arguments are another action. */
export function extractToolSend(args, expectedAction = 'sendMessage') {
  const to = readStringValue(args.to);
  if ((readStringValue(args.action)?.trim() ?? '') !== expectedAction || !to) return null;
  const threadId = typeof args.threadId === 'number' ? String(args.threadId) : readStringValue(args.threadId)?.trim();
  return { to, accountId: readStringValue(args.accountId)?.trim(), threadId: threadId || undefined };
}

/** An image with a text. @param {{label: string, path: string, base64: string, mimeType: string, extraText?: string, details?: any}} params */
export const imageResult = async ({ path: file, base64, mimeType, extraText, details }) => ({
  content: [...(extraText ? [{ type: 'text', text: extraText }] : []), { type: 'image', data: base64, mimeType }],
  details: { path: file, ...details, media: { ...(details?.media && typeof details.media === 'object' ? details.media : {}), mediaUrl: file } },
});
/** The same of a file. @param {{label: string, path: string, extraText?: string, details?: object}} params */
export async function imageResultFromFile({ path: file, ...params }) {
  const { readFile } = await import('node:fs/promises');
  const { detectMime } = await import('./mime.js');
  const buffer = await readFile(file);
  return imageResult({ ...params, path: file, base64: buffer.toString('base64'), mimeType: (await detectMime({ buffer: buffer.subarray(0, 256) })) ?? 'image/png' });
}
