// Parameters of message actions as schemas. They carry the marks by which typebox knows its own, so that they can stand in its objects.

const mark = (schema, kind, optional = false) => {
  for (const [key, value] of [[kind === 'Unsafe' ? '~unsafe' : '~kind', kind === 'Unsafe' ? null : kind], ...(optional ? [['~optional', true]] : [])]) {
    Object.defineProperty(schema, key, { value, writable: true, configurable: true, enumerable: false });
  }
  schema[Symbol.for('TypeBox.Kind')] = kind;
  if (optional) schema[Symbol.for('TypeBox.Optional')] = 'Optional';
  return schema;
};

const textsOf = (values) => (Array.isArray(values) ? values : Object.values(values && typeof values === 'object' ? values : {}).filter((value) => typeof value === 'string'));
const enumOf = (values, options) => ({ type: 'string', ...(textsOf(values).length > 0 ? { enum: [...textsOf(values)] } : {}), ...options });

/** One of several texts. @param {readonly string[]|Record<string, string>} values @param {any} [options] @returns {any} */
export const stringEnum = (values, options = {}) => mark(enumOf(values, options), 'Unsafe');
/** @param {readonly string[]|Record<string, string>} values @param {any} [options] @returns {any} */
export const optionalStringEnum = (values, options = {}) => mark(enumOf(values, options), 'Unsafe', true);

/** A whole number from 1. @param {any} [options] @returns {any} */
export const optionalPositiveIntegerSchema = (options = {}) => mark({ type: 'integer', minimum: 1, ...options }, 'Integer', true);

const string = () => mark({ type: 'string' }, 'String');

/** Rows of buttons. @returns {any} */
export function createMessageToolButtonsSchema() {
  const properties = { text: string(), callback_data: string(), style: optionalStringEnum(['danger', 'success', 'primary']) };
  const button = mark({ type: 'object', required: ['text', 'callback_data'], properties }, 'Object');
  const row = mark({ type: 'array', items: button }, 'Array');
  return mark({ type: 'array', items: row, description: 'Rows of buttons, on channels that have buttons.' }, 'Array', true);
}
/** A card. @returns {any} */
export const createMessageToolCardSchema = () => mark({ type: 'object', properties: {}, additionalProperties: true, description: 'A structured card, on channels that have cards.' }, 'Object', true);

/** Refuses data URLs as media. @param {string} media @returns {void} */
export function assertMediaNotDataUrl(media) {
  if (/^data:/i.test(media.trim())) throw new Error('data: URLs are no media here. Pass the bytes as buffer.');
}

/** Accounts that have a token. @param {any[]} accounts @returns {any[]} */
export const listTokenSourcedAccounts = (accounts) => accounts.filter(({ tokenSource }) => tokenSource !== 'none');

const TAG_MEMBERS = { id: ['string'], name: ['string'], moderated: ['boolean'], emoji_id: ['string', 'null'], emoji_name: ['string', 'null'] };
const typeOf = (value) => (value === null ? 'null' : typeof value);
/** Tags of a forum channel; those without a name are left out. @param {unknown} raw @returns {any[]|undefined} */
export function parseAvailableTags(raw) {
  const tags = (Array.isArray(raw) ? raw : []).filter((tag) => tag && typeof tag === 'object' && typeof tag.name === 'string');
  if (tags.length === 0) return undefined;
  return tags.map((tag) => Object.fromEntries(Object.entries(TAG_MEMBERS).filter(([key, types]) => types.includes(typeOf(tag[key]))).map(([key]) => [key, tag[key]])));
}

/** `true`, `false` or `auto`. @param {unknown} value @returns {boolean|'auto'|undefined} */
export const coerceNativeSetting = (value) => ([true, false, 'auto'].includes(value) ? value : undefined);

/** Whom a message goes to. @param {{description?: string}} [options] @returns {any} */
export const channelTargetSchema = (options) => mark({ type: 'string', description: options?.description ?? 'Who gets the message: a number, an id, a user name, or <kind>:<id> as the channel writes it' }, 'String');
/** Several of them. @param {{description?: string}} [options] @returns {any} */
export const channelTargetsSchema = (options) => mark({ type: 'array', items: channelTargetSchema({ description: options?.description ?? 'Who gets the message, as in one target; names where the channel has a directory' }) }, 'Array');
/** A number. @param {any} [options] @returns {any} */
export const optionalFiniteNumberSchema = (options = {}) => mark({ type: 'number', ...options }, 'Number', true);
/** A whole number from 0. @param {any} [options] @returns {any} */
export const optionalNonNegativeIntegerSchema = (options = {}) => mark({ type: 'integer', minimum: 0, ...options }, 'Integer', true);
