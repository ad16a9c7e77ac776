// The model that a session or a channel asks for.
import { parseModelRef } from './provider/model-refs.js';
import { buildChannelKeyCandidates, resolveChannelEntryMatchWithFallback } from './targets.js';
import { normalizeOptionalLowercaseString, normalizeOptionalString } from './strings.js';

const drop = (entry, ...keys) => keys.filter((key) => entry[key] !== undefined && delete entry[key]).length > 0;
const put = (entry, key, value) => entry[key] !== value && ((entry[key] = value), true);

/**
 * Writes a choice of model into a session's row.
 * @param {{entry: object, selection: {provider: string, model: string, isDefault?: boolean}, profileOverride?: string, profileOverrideSource?: 'auto' | 'user', selectionSource?: 'auto' | 'user', preserveAuthProfileOverride?: boolean, markLiveSwitchPending?: boolean}} params
 * @returns {{updated: boolean}}
 */
export function applyModelOverrideToSessionEntry(params) {
  const { entry, selection, profileOverride, profileOverrideSource = 'user', selectionSource = 'user' } = params;
  const clear = (...keys) => keys.filter((key) => entry[key]).filter((key) => delete entry[key]).length > 0;
  const moved = selection.isDefault
    ? clear('providerOverride', 'modelOverride')
    : [put(entry, 'providerOverride', selection.provider), put(entry, 'modelOverride', selection.model)].some(Boolean);
  const sourced = selection.isDefault ? clear('modelOverrideSource') : put(entry, 'modelOverrideSource', selectionSource);
  const origin = drop(entry, 'modelOverrideFallbackOriginProvider', 'modelOverrideFallbackOriginModel');
  const ran = { model: normalizeOptionalString(entry.model), provider: normalizeOptionalString(entry.modelProvider) };
  const known = Boolean(ran.model ?? ran.provider);
  const aligned = ran.model === selection.model && (!ran.provider || ran.provider === selection.provider);
  const stale = known && (moved || !aligned) && drop(entry, 'model', 'modelProvider');
  const context = (moved || (known && !aligned)) && drop(entry, 'contextTokens');
  const profile = profileOverride
    ? [put(entry, 'authProfileOverride', profileOverride), put(entry, 'authProfileOverrideSource', profileOverrideSource), drop(entry, 'authProfileOverrideCompactionCount')].some(Boolean)
    : !params.preserveAuthProfileOverride && [clear('authProfileOverride', 'authProfileOverrideSource'), drop(entry, 'authProfileOverrideCompactionCount')].some(Boolean);
  const updated = [moved, sourced, origin, stale, context, profile].some(Boolean);
  if (updated) {
    if (moved && params.markLiveSwitchPending) entry.liveModelSwitchPending = true;
    drop(entry, 'fallbackNoticeSelectedModel', 'fallbackNoticeActiveModel', 'fallbackNoticeReason');
    entry.updatedAt = Date.now();
  }
  return { updated };
}

/** What follows the kind in the key of a parent session: `agent:a:chat:group:ID`. */
function conversationOf(sessionKey) {
  const parts = (sessionKey ?? '').trim().split(':').filter(Boolean);
  const at = parts.findIndex((part, index) => index > 0 && ['group', 'channel'].includes(part.toLowerCase()));
  return at < 0 ? undefined : normalizeOptionalString(parts.slice(at + 1).join(':'));
}

const withoutThread = (id) => id?.replace(/:thread:.*$/i, '');
/** The conversation that a topic belongs to: `chat:topic:7` -> `chat`. */
const parentOf = (id) => /^(.+?):(?:topic|thread|sender):/i.exec(id ?? '')?.[1];
const slug = (text) => text && text.toLowerCase().replace(/^#+/, '').replace(/[^a-z0-9]+/g, '-').replace(/^-+|-+$/g, '');

/**
 * The model that `channels.modelByChannel` names for a conversation.
 * @param {{cfg: object, channel?: string | null, groupId?: string | null, groupChannel?: string | null, groupSubject?: string | null, parentSessionKey?: string | null}} params
 * @returns {{channel: string, model: string, matchKey?: string, matchSource?: string} | null}
 */
export function resolveChannelModelOverride({ cfg, channel: rawChannel, groupId, groupChannel, groupSubject, parentSessionKey }) {
  const channel = normalizeOptionalLowercaseString(rawChannel);
  const byChannel = cfg.channels?.modelByChannel ?? {};
  const entries = channel && Object.entries(byChannel).find(([name]) => normalizeOptionalLowercaseString(name) === channel)?.[1];
  if (!entries) return null;
  const find = (keys, parentKeys) => {
    if (keys.length === 0 && parentKeys.length === 0) return null;
    const match = resolveChannelEntryMatchWithFallback({ entries, keys, parentKeys, wildcardKey: '*', normalizeKey: (key) => normalizeOptionalLowercaseString(key) ?? '' });
    const model = normalizeOptionalString(match.entry ?? match.wildcardEntry);
    return model ? { channel, model, matchKey: match.matchKey, matchSource: match.matchSource } : null;
  };
  const conversation = conversationOf(parentSessionKey);
  const names = [groupChannel, groupSubject].map(normalizeOptionalString).flatMap((name) => [name, name?.replace(/^#/, ''), slug(name)]);
  const wider = [groupId, conversation, parentOf(groupId), parentOf(conversation)];
  return find(buildChannelKeyCandidates(groupId, withoutThread(conversation)), []) ?? find(buildChannelKeyCandidates(...wider), buildChannelKeyCandidates(...names));
}

/**
 * How many turns run at once.
 * @param {object | undefined} cfg
 * @returns {number}
 */
export function resolveAgentMaxConcurrent(cfg) {
  const limit = cfg?.agents?.defaults?.maxConcurrent;
  return Number.isFinite(limit) ? Math.max(1, Math.floor(limit)) : 4;
}

function storedModel(entry, defaultProvider) {
  const [provider, model] = [entry?.providerOverride, entry?.modelOverride].map(normalizeOptionalString);
  if (!model) return undefined;
  const fallback = normalizeOptionalString(defaultProvider) ?? 'openai';
  return parseModelRef(provider ? `${provider}/${model}` : model, fallback) ?? { provider: provider ?? fallback, model };
}
const threadParent = (sessionKey) => /^(.+?):(?:thread|topic):[^:]+$/i.exec(sessionKey ?? '')?.[1];

/**
 * The model that was chosen for a session, or for the one that it is a thread of.
 * @param {{sessionEntry?: object, sessionStore?: Record<string, object>, sessionKey?: string, parentSessionKey?: string, defaultProvider: string}} params
 * @returns {{provider: string, model: string, source: 'session' | 'parent'} | null}
 */
export function resolveStoredModelOverride({ sessionEntry, sessionStore, sessionKey, parentSessionKey, defaultProvider }) {
  const own = storedModel(sessionEntry, defaultProvider);
  if (own) return { ...own, source: 'session' };
  const parent = [normalizeOptionalString(parentSessionKey), threadParent(sessionKey)].find((key) => key && key !== sessionKey);
  const inherited = parent && sessionStore ? storedModel(sessionStore[parent], defaultProvider) : undefined;
  return inherited ? { ...inherited, source: 'parent' } : null;
}
