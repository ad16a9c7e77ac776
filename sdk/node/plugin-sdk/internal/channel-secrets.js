// Collects the credentials of a channel that are references, for the host to resolve.
import { coerceSecretRef } from './secrets.js';
import { hasOwnProperty, isRecord } from './strings.js';

/** @typedef {{assignments: any[], warnings: any[], warningKeys: Set<string>}} ResolverContext */

/** Whether a record is switched on; so is what is no record. @param {unknown} value @returns {boolean} */
export const isEnabledFlag = (value) => !isRecord(value) || value.enabled !== false;
/** @param {unknown} value @returns {string} */
export const normalizeSecretStringValue = (value) => (typeof value === 'string' ? value.trim() : '');
/** Whether there is a text or a reference. @param {unknown} value @param {any} [defaults] @returns {boolean} */
export const hasConfiguredSecretInputValue = (value, defaults) => normalizeSecretStringValue(value) !== '' || coerceSecretRef(value, defaults) !== null;

/** A channel's section. @param {any} config @param {string} channelKey @returns {Record<string, any>|undefined} */
export function getChannelRecord(config, channelKey) {
  const channel = isRecord(config.channels) ? config.channels[channelKey] : undefined;
  return isRecord(channel) ? channel : undefined;
}

/** The accounts of a section whose credentials count; the section itself when it names none. @param {Record<string, any>} channel @returns {any} */
export function resolveChannelAccountSurface(channel) {
  const channelEnabled = isEnabledFlag(channel);
  const rows = isRecord(channel.accounts) ? Object.entries(channel.accounts) : [];
  if (rows.length === 0) return { hasExplicitAccounts: false, channelEnabled, accounts: [{ accountId: 'default', account: channel, enabled: channelEnabled }] };
  const accounts = rows.filter(([, account]) => isRecord(account)).map(([accountId, account]) => ({ accountId, account, enabled: channelEnabled && isEnabledFlag(account) }));
  return { hasExplicitAccounts: true, channelEnabled, accounts };
}

/** A channel's section with those accounts. @param {any} config @param {string} channelKey @returns {any} */
export function getChannelSurface(config, channelKey) {
  const channel = getChannelRecord(config, channelKey);
  return channel ? { channel, surface: resolveChannelAccountSurface(channel) } : null;
}

/** Whether a field of the section is in use: some account that is on has none of its own. @param {any} surface @param {string} field @returns {boolean} */
export const isBaseFieldActiveForChannelSurface = ({ channelEnabled, hasExplicitAccounts, accounts }, field) =>
  channelEnabled && (!hasExplicitAccounts || accounts.some(({ account, enabled }) => enabled && !hasOwnProperty(account, field)));

/** @param {ResolverContext} context @param {any} assignment @returns {void} */
export const pushAssignment = (context, assignment) => void context.assignments.push(assignment);
/** Adds a warning once. @param {ResolverContext} context @param {{code: string, path: string, message: string}} warning @returns {void} */
export function pushWarning(context, warning) {
  const key = `${warning.code}:${warning.path}:${warning.message}`;
  if (context.warningKeys.has(key)) return;
  context.warningKeys.add(key);
  context.warnings.push(warning);
}
/** Says that a reference is left alone because nothing uses it. @param {{context: ResolverContext, path: string, details?: string}} params @returns {void} */
export const pushInactiveSurfaceWarning = ({ context, path, details }) =>
  pushWarning(context, { code: 'SECRETS_REF_IGNORED_INACTIVE_SURFACE', path, message: `${path}: ${details?.trim() ? details : 'the secret reference is not resolved because nothing uses it now.'}` });

/** Collects one value when it is a reference. @param {any} params @returns {void} */
export function collectSecretInputAssignment({ value, path, expected, defaults, context, active, inactiveReason, apply }) {
  const ref = coerceSecretRef(value, defaults);
  if (!ref) return;
  if (active === false) pushInactiveSurfaceWarning({ context, path, details: inactiveReason });
  else pushAssignment(context, { ref, path, expected, apply });
}

function collectField(holder, field, path, params, active, inactiveReason) {
  collectSecretInputAssignment({
    value: holder[field], path, expected: 'string', defaults: params.defaults, context: params.context, active, inactiveReason,
    apply: (value) => {
      holder[field] = value;
    },
  });
}

const reasonFor = (params, entry) => (typeof params.accountInactiveReason === 'function' ? params.accountInactiveReason(entry) : params.accountInactiveReason);
const accountsOf = ({ surface }) => (surface.hasExplicitAccounts ? surface.accounts : []);

/** A field of the section and of each account, by whether they are on. @param {any} params @returns {void} */
export function collectSimpleChannelFieldAssignments(params) {
  const { channelKey, field, channel, surface } = params;
  collectField(channel, field, `channels.${channelKey}.${field}`, params, isBaseFieldActiveForChannelSurface(surface, field), params.topInactiveReason);
  for (const entry of accountsOf(params)) {
    if (hasOwnProperty(entry.account, field)) collectField(entry.account, field, `channels.${channelKey}.accounts.${entry.accountId}.${field}`, params, entry.enabled, reasonFor(params, entry));
  }
}

/** The same where the channel itself says what is in use. @param {any} params @returns {void} */
export function collectConditionalChannelFieldAssignments(params) {
  const { channelKey, field, channel, surface } = params;
  const topActive = surface.channelEnabled && (surface.hasExplicitAccounts ? surface.accounts.some((entry) => params.topLevelInheritedAccountActive(entry)) : params.topLevelActiveWithoutAccounts);
  collectField(channel, field, `channels.${channelKey}.${field}`, params, topActive, params.topInactiveReason);
  for (const entry of accountsOf(params)) {
    if (hasOwnProperty(entry.account, field)) collectField(entry.account, field, `channels.${channelKey}.accounts.${entry.accountId}.${field}`, params, params.accountActive(entry), reasonFor(params, entry));
  }
}

/** Calls `work` with an object within the section, and with those of the accounts. */
function eachNested(params, work) {
  const { channelKey, nestedKey, channel } = params;
  if (isRecord(channel[nestedKey])) work(channel[nestedKey], `channels.${channelKey}.${nestedKey}`, params.topLevelActive, params.topInactiveReason);
  for (const entry of accountsOf(params)) {
    const nested = entry.account[nestedKey];
    if (isRecord(nested)) work(nested, `channels.${channelKey}.accounts.${entry.accountId}.${nestedKey}`, params.accountActive(entry), reasonFor(params, entry));
  }
}

/** A field of an object within the section and within each account. @param {any} params @returns {void} */
export const collectNestedChannelFieldAssignments = (params) =>
  eachNested(params, (nested, path, active, reason) => collectField(nested, params.field, `${path}.${params.field}`, params, active, reason));

/** The keys of speech providers in such an object. @param {any} params @returns {void} */
export const collectNestedChannelTtsAssignments = (params) =>
  eachNested(params, ({ tts }, path, active, reason) => {
    for (const [id, provider] of Object.entries(isRecord(tts?.providers) ? tts.providers : {})) {
      if (isRecord(provider)) collectField(provider, 'apiKey', `${path}.tts.providers.${id}.apiKey`, params, active, reason);
    }
  });

/** An account's entry without some fields; an entry that is left empty goes. @param {any} params @returns {{nextAccounts?: Record<string, any>, changed: boolean, cleared: boolean}} */
export function clearAccountEntryFields({ accounts, accountId, fields, isValueSet = (value) => (typeof value === 'string' ? value.trim() !== '' : Boolean(value)), markClearedOnFieldPresence }) {
  const id = accountId || 'default';
  const nextAccounts = accounts && typeof accounts === 'object' ? { ...accounts } : undefined;
  const entry = nextAccounts?.[id];
  const present = entry && typeof entry === 'object' ? fields.filter((field) => field in entry) : [];
  if (present.length === 0) return { nextAccounts, changed: false, cleared: false };
  const rest = Object.fromEntries(Object.entries(entry).filter(([field]) => !present.includes(field)));
  if (Object.keys(rest).length > 0) nextAccounts[id] = rest;
  else delete nextAccounts[id];
  const cleared = Boolean(markClearedOnFieldPresence) || present.some((field) => isValueSet(entry[field]));
  return { nextAccounts: Object.keys(nextAccounts).length > 0 ? nextAccounts : undefined, changed: true, cleared };
}
