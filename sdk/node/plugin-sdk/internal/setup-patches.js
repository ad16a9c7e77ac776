// What a channel's setup writes into the configuration: policies and allow lists, in the section, below it, or of an account.
import { DEFAULT_ACCOUNT_ID, normalizeAccountId } from './accounts.js';
import { resolveChannelDmAllowFrom, resolveChannelDmPolicy } from './dm-config.js';
import { addWildcardAllowFrom, createPatchedAccountSetupAdapter, patchScopedAccountConfig, splitSetupEntries } from './setup.js';
import { normalizeOptionalString, normalizeStringEntries, uniqueStrings } from './strings.js';

const withSection = (cfg, channel, section) => ({ ...cfg, channels: { ...cfg.channels, [channel]: section } });
const without = (record, fields = []) => Object.fromEntries(Object.entries(record ?? {}).filter(([key]) => !fields.includes(key)));
const opened = (dmPolicy, allowFrom) => (dmPolicy === 'open' ? { allowFrom: addWildcardAllowFrom(allowFrom ?? undefined) } : {});

/** Changes a channel's section. @param {{cfg: any, channel: string, patch: any, enabled?: boolean, clearFields?: string[]}} params @returns {any} */
export const patchTopLevelChannelConfigSection = ({ cfg, channel, patch, enabled, clearFields }) =>
  withSection(cfg, channel, { ...without(cfg.channels?.[channel], clearFields), ...(enabled ? { enabled: true } : {}), ...patch });

/** Changes an object within a channel's section. @param {{cfg: any, channel: string, section: string, patch: any, enabled?: boolean, clearFields?: string[]}} params @returns {any} */
export function patchNestedChannelConfigSection({ cfg, channel, section, patch, enabled, clearFields }) {
  const base = cfg.channels?.[channel];
  return withSection(cfg, channel, { ...base, ...(enabled ? { enabled: true } : {}), [section]: { ...without(base?.[section], clearFields), ...patch } });
}

/** Settings that move to an account when a section gets several. */
const ACCOUNT_KEYS = new Set([
  'name', 'httpPort', 'webhookPath', 'webhookUrl', 'webhookSecret', 'service', 'region', 'homeserver', 'userId', 'accessToken', 'password',
  'deviceName', 'url', 'code', 'dmPolicy', 'allowFrom', 'groupPolicy', 'groupAllowFrom', 'defaultTo', 'token', 'tokenFile', 'botToken',
  'appToken', 'account', 'signalNumber', 'authDir', 'cliPath', 'dbPath', 'httpUrl', 'httpHost', 'streaming', 'deviceId', 'avatarUrl',
  'initialSyncLimit', 'encryption', 'allowlistOnly', 'allowBots', 'blockStreaming', 'replyToMode', 'threadReplies', 'textChunkLimit', 'chunkMode',
  'responsePrefix', 'ackReaction', 'ackReactionScope', 'reactionNotifications', 'threadBindings', 'startupVerification',
  'startupVerificationCooldownHours', 'mediaMaxMb', 'autoJoin', 'autoJoinAllowlist', 'dm', 'groups', 'rooms', 'actions',
]);

/** The account that takes the settings of the section: the default one, or the only named one. */
function heir(section) {
  const named = Object.keys(section.accounts ?? {}).filter((id) => id && section.accounts[id] && typeof section.accounts[id] === 'object');
  const configured = typeof section.defaultAccount === 'string' && section.defaultAccount.trim() ? normalizeAccountId(section.defaultAccount) : undefined;
  if (configured) return named.find((id) => normalizeAccountId(id) === configured) ?? DEFAULT_ACCOUNT_ID;
  return named.length === 1 ? named[0] : (named.find((id) => normalizeAccountId(id) === DEFAULT_ACCOUNT_ID) ?? DEFAULT_ACCOUNT_ID);
}

/** Moves the settings of a section with one account into that account, so that others can stand beside it. @param {{cfg: any, channelKey: string}} params @returns {any} */
export function moveSingleAccountChannelSectionToDefaultAccount({ cfg, channelKey }) {
  const section = cfg.channels?.[channelKey];
  if (!section || typeof section !== 'object') return cfg;
  const moved = Object.entries(section).filter(([key, value]) => ACCOUNT_KEYS.has(key) && value !== undefined);
  const hasAccounts = Object.keys(section.accounts ?? {}).length > 0;
  if (hasAccounts && moved.length === 0) return cfg;
  const target = hasAccounts ? heir(section) : DEFAULT_ACCOUNT_ID;
  const account = { ...section.accounts?.[target], ...structuredClone(Object.fromEntries(moved)) };
  return withSection(cfg, channelKey, { ...without(section, moved.map(([key]) => key)), accounts: { ...section.accounts, [target]: account } });
}

function patchAccount({ cfg, channel, accountId, patch, ensureEnabled }) {
  const alone = Object.keys(cfg.channels?.[channel]?.accounts ?? {}).length === 0;
  const ready = accountId === DEFAULT_ACCOUNT_ID || !alone ? cfg : moveSingleAccountChannelSectionToDefaultAccount({ cfg, channelKey: channel });
  return patchScopedAccountConfig({ cfg: ready, channelKey: channel, accountId, patch, ensureChannelEnabled: ensureEnabled, ensureAccountEnabled: ensureEnabled });
}

/** Changes an account and switches it on. @param {{cfg: any, channel: string, accountId: string, patch: any}} params @returns {any} */
export const patchChannelConfigForAccount = (params) => patchAccount({ ...params, ensureEnabled: true });
/** @param {{cfg: any, channel: string, accountId: string, allowFrom: any[]}} params @returns {any} */
export const setAccountAllowFromForChannel = ({ cfg, channel, accountId, allowFrom }) => patchAccount({ cfg, channel, accountId, patch: { allowFrom }, ensureEnabled: false });
/** @param {{cfg: any, channel: string, accountId: string, allowFrom: any[]}} params @returns {any} */
export const setAccountDmAllowFromForChannel = ({ cfg, channel, accountId, allowFrom }) => patchChannelConfigForAccount({ cfg, channel, accountId, patch: { dmPolicy: 'allowlist', allowFrom } });
/** @param {{cfg: any, channel: string, accountId: string, groupPolicy: string}} params @returns {any} */
export const setAccountGroupPolicyForChannel = ({ cfg, channel, accountId, groupPolicy }) => patchChannelConfigForAccount({ cfg, channel, accountId, patch: { groupPolicy } });

/** @param {{cfg: any, channel: string, allowFrom: any[], enabled?: boolean}} params @returns {any} */
export const setTopLevelChannelAllowFrom = ({ allowFrom, ...params }) => patchTopLevelChannelConfigSection({ ...params, patch: { allowFrom } });
/** @param {{cfg: any, channel: string, groupPolicy: string, enabled?: boolean}} params @returns {any} */
export const setTopLevelChannelGroupPolicy = ({ groupPolicy, ...params }) => patchTopLevelChannelConfigSection({ ...params, patch: { groupPolicy } });
/** Sets the policy; `open` adds `*` to the list. @param {{cfg: any, channel: string, dmPolicy: string, getAllowFrom?: (cfg: any) => any[]}} params @returns {any} */
export const setTopLevelChannelDmPolicyWithAllowFrom = ({ cfg, channel, dmPolicy, getAllowFrom }) =>
  patchTopLevelChannelConfigSection({ cfg, channel, patch: { dmPolicy, ...opened(dmPolicy, getAllowFrom?.(cfg) ?? cfg.channels?.[channel]?.allowFrom) } });
/** The same, reading the list from the section. @param {{cfg: any, channel: string, dmPolicy: string}} params @returns {any} */
export function setChannelDmPolicyWithAllowFrom({ cfg, channel, dmPolicy }) {
  const list = cfg.channels?.[channel]?.allowFrom;
  return patchTopLevelChannelConfigSection({ cfg, channel, patch: { dmPolicy, ...opened(dmPolicy, Array.isArray(list) ? list : undefined) } });
}
/** @param {{cfg: any, channel: string, section: string, allowFrom: any[], enabled?: boolean}} params @returns {any} */
export const setNestedChannelAllowFrom = ({ allowFrom, ...params }) => patchNestedChannelConfigSection({ ...params, patch: { allowFrom } });
/** @param {{cfg: any, channel: string, section: string, dmPolicy: string, getAllowFrom?: (cfg: any) => any[], enabled?: boolean}} params @returns {any} */
export const setNestedChannelDmPolicyWithAllowFrom = ({ cfg, channel, section, dmPolicy, getAllowFrom, enabled }) =>
  patchNestedChannelConfigSection({
    cfg, channel, section, enabled, patch: { policy: dmPolicy, ...opened(dmPolicy, getAllowFrom?.(cfg) ?? cfg.channels?.[channel]?.[section]?.allowFrom) },
  });

/** Channels that once kept direct-message settings below `dm` keep that object, switched on. */
function patchWithDm(cfg, channel, patch) {
  const base = cfg.channels?.[channel];
  return withSection(cfg, channel, { ...base, ...patch, dm: { ...base?.dm, enabled: typeof base?.dm?.enabled === 'boolean' ? base.dm.enabled : true } });
}
/** @param {{cfg: any, channel: string, dmPolicy: string}} params @returns {any} */
export const setLegacyChannelDmPolicyWithAllowFrom = ({ cfg, channel, dmPolicy }) =>
  patchWithDm(cfg, channel, { dmPolicy, ...opened(dmPolicy, resolveChannelDmAllowFrom({ account: cfg.channels?.[channel] })) });
/** @param {{cfg: any, channel: string, allowFrom: any[]}} params @returns {any} */
export const setLegacyChannelAllowFrom = ({ cfg, channel, allowFrom }) => patchWithDm(cfg, channel, { allowFrom });

/** @param {{channel: string, enabled?: boolean}} params @returns {(cfg: any, allowFrom: any[]) => any} */
export const createTopLevelChannelAllowFromSetter = (params) => (cfg, allowFrom) => setTopLevelChannelAllowFrom({ ...params, cfg, allowFrom });
/** @param {{channel: string, enabled?: boolean}} params @returns {(cfg: any, groupPolicy: string) => any} */
export const createTopLevelChannelGroupPolicySetter = (params) => (cfg, groupPolicy) => setTopLevelChannelGroupPolicy({ ...params, cfg, groupPolicy });
/** @param {{channel: string, getAllowFrom?: Function}} params @returns {(cfg: any, dmPolicy: string) => any} */
export const createTopLevelChannelDmPolicySetter = (params) => (cfg, dmPolicy) => setTopLevelChannelDmPolicyWithAllowFrom({ ...params, cfg, dmPolicy });
/** @param {{channel: string, section: string, enabled?: boolean}} params @returns {(cfg: any, allowFrom: any[]) => any} */
export const createNestedChannelAllowFromSetter = (params) => (cfg, allowFrom) => setNestedChannelAllowFrom({ ...params, cfg, allowFrom });
/** @param {{channel: string, section: string, getAllowFrom?: Function, enabled?: boolean}} params @returns {(cfg: any, dmPolicy: string) => any} */
export const createNestedChannelDmPolicySetter = (params) => (cfg, dmPolicy) => setNestedChannelDmPolicyWithAllowFrom({ ...params, cfg, dmPolicy });

const policyStep = ({ label, channel, policyKey, allowFromKey, getCurrent, promptAllowFrom }, setPolicy) => ({
  label, channel, policyKey, allowFromKey, getCurrent, setPolicy, ...(promptAllowFrom ? { promptAllowFrom } : {}),
});
/** The direct-message step of a wizard. @param {any} params @returns {any} */
export const createTopLevelChannelDmPolicy = (params) => policyStep(params, createTopLevelChannelDmPolicySetter(params));
/** The same for settings in an object of their own. @param {any} params @returns {any} */
export const createNestedChannelDmPolicy = (params) => policyStep(params, createNestedChannelDmPolicySetter(params));

/** The same for channels with accounts that once kept the settings below `dm`. @param {{label: string, channel: string, promptAllowFrom?: Function}} params @returns {any} */
export function createLegacyCompatChannelDmPolicy({ label, channel, promptAllowFrom }) {
  const named = (accountId) => (accountId && accountId !== DEFAULT_ACCOUNT_ID ? accountId : undefined);
  const keys = (accountId) => {
    const prefix = named(accountId) ? `channels.${channel}.accounts.${accountId}` : `channels.${channel}`;
    return { policyKey: `${prefix}.dmPolicy`, allowFromKey: `${prefix}.allowFrom` };
  };
  const entries = (cfg, accountId) => ({ account: named(accountId) && cfg.channels?.[channel]?.accounts?.[accountId], parent: cfg.channels?.[channel] });
  return {
    label,
    channel,
    ...keys(),
    resolveConfigKeys: (_cfg, accountId) => keys(accountId),
    getCurrent: (cfg, accountId) => resolveChannelDmPolicy({ ...entries(cfg, accountId), defaultPolicy: 'pairing' }),
    setPolicy(cfg, dmPolicy, accountId) {
      if (!named(accountId)) return setLegacyChannelDmPolicyWithAllowFrom({ cfg, channel, dmPolicy });
      return patchChannelConfigForAccount({ cfg, channel, accountId, patch: { dmPolicy, ...opened(dmPolicy, resolveChannelDmAllowFrom(entries(cfg, accountId))) } });
    },
    ...(promptAllowFrom ? { promptAllowFrom } : {}),
  };
}

/** A setup adapter whose credentials come from the input or, for the default account, from the environment. @param {any} params @returns {any} */
export function createEnvPatchedAccountSetupAdapter({ defaultAccountOnlyEnvError, missingCredentialError, hasCredentials, validateInput, ...params }) {
  return createPatchedAccountSetupAdapter({
    ...params,
    validateInput(request) {
      const { input, accountId } = request;
      if (input.useEnv && accountId !== DEFAULT_ACCOUNT_ID) return defaultAccountOnlyEnvError;
      if (!input.useEnv && !hasCredentials(input)) return missingCredentialError;
      return validateInput?.(request) ?? null;
    },
  });
}

/** Checks setup input with a schema, then with a function. @param {{schema: any, validate?: Function}} params @returns {(request: any) => string|null} */
export const createZodSetupInputValidator = ({ schema, validate }) => (request) => {
  const parsed = schema.safeParse(request.input);
  if (!parsed.success) return parsed.error.issues[0]?.message ?? 'invalid input';
  return validate?.({ ...request, input: parsed.data }) ?? null;
};

/** Entries in the spelling of a channel; `*` stays. @param {any[]} entries @param {(entry: string) => string|undefined|null} [normalizeEntry] @returns {string[]} */
export const normalizeAllowFromEntries = (entries, normalizeEntry) =>
  uniqueStrings(normalizeStringEntries(entries).map((entry) => (entry === '*' || !normalizeEntry ? entry : (normalizeOptionalString(normalizeEntry(entry)) ?? ''))).filter(Boolean));

/** The entries of a typed list; the first one that is wrong fails all. @param {string} raw @param {(entry: string) => any} parseEntry @returns {{entries: string[], error?: string}} */
export function parseSetupEntriesWithParser(raw, parseEntry) {
  const values = [];
  for (const part of splitSetupEntries(raw)) {
    const parsed = parseEntry(part);
    if ('error' in parsed) return { entries: [], error: parsed.error };
    values.push(parsed.value);
  }
  return { entries: normalizeAllowFromEntries(values) };
}
/** The same, where `*` needs no parser. @param {string} raw @param {(entry: string) => any} parseEntry @returns {{entries: string[], error?: string}} */
export const parseSetupEntriesAllowingWildcard = (raw, parseEntry) => parseSetupEntriesWithParser(raw, (entry) => (entry === '*' ? { value: entry } : parseEntry(entry)));

/** An id that is typed as a mention, with a prefix, or bare. @param {any} params @returns {string|null} */
export function parseMentionOrPrefixedId({ value, mentionPattern, prefixPattern, idPattern, normalizeId = (id) => id }) {
  const text = value.trim();
  if (!text) return null;
  const mentioned = text.match(mentionPattern)?.[1];
  if (mentioned) return normalizeId(mentioned);
  const bare = prefixPattern ? text.replace(prefixPattern, '') : text;
  return idPattern.test(bare) ? normalizeId(bare) : null;
}

/** Ids that a channel reads from entries without asking anybody. @param {{entries: string[], parseId: (entry: string) => string|null}} params @returns {any[]} */
export const resolveParsedAllowFromEntries = ({ entries, parseId }) =>
  entries.map((input) => {
    const id = parseId(input);
    return { input, resolved: Boolean(id), id };
  });

/** Entries resolved with a token, or what is left of them without one. @param {any} params @returns {Promise<any[]>} */
export async function resolveEntriesWithOptionalToken({ token, entries, buildWithoutToken, resolveEntries }) {
  const trimmed = token?.trim();
  return trimmed ? resolveEntries({ token: trimmed, entries }) : entries.map((entry) => buildWithoutToken(entry));
}

/** The account that setup works on. @param {{accountId?: string, defaultAccountId: string}} params @returns {string} */
export const resolveSetupAccountId = ({ accountId, defaultAccountId }) => (accountId?.trim() ? normalizeAccountId(accountId) : defaultAccountId);
