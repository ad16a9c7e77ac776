// Names of models: `provider/model`.
import { resolveAgentEffectiveModelPrimary, resolveAgentModelFallbackValues, resolveAgentModelPrimaryValue } from '../agents.js';
import { isRecord, normalizeLowercaseStringOrEmpty, normalizeOptionalString } from '../strings.js';
import { DEFAULT_MODEL, DEFAULT_PROVIDER } from './defaults.js';
import { normalizeGooglePreviewModelId, normalizeProviderId } from './id.js';

/** `provider/model`; a model that carries its provider already stays. @param {string} provider @param {string} model @returns {string} */
export function modelKey(provider, model) {
  const [left, right] = [provider.trim(), model.trim()];
  if (!left || !right) return left || right;
  return normalizeLowercaseStringOrEmpty(right).startsWith(`${normalizeLowercaseStringOrEmpty(left)}/`) ? right : `${left}/${right}`;
}

/** A model's name as configuration keeps it. @param {string} ref @returns {string} */
export function modelRefForConfig(ref) {
  const text = ref.trim();
  const slash = text.indexOf('/');
  return slash <= 0 || slash >= text.length - 1 ? text : modelKey(normalizeProviderId(text.slice(0, slash)), normalizeGooglePreviewModelId(text.slice(slash + 1)));
}

/** A model's id as a catalogue of a provider keeps it. @param {string} provider @param {string} model @returns {string} */
export function catalogModelId(provider, model) {
  const google = ['google', 'google-gemini-cli', 'google-vertex'].includes(provider);
  const [, prefix = '', id = ''] = /^([^/]+\/)?(google\/.+)$/.exec(model) ?? [];
  if (id) return prefix + normalizeGooglePreviewModelId(id);
  return google ? normalizeGooglePreviewModelId(model) : model;
}

/** The value of a provider in a record whose keys may be written in other ways. @param {object | undefined} record @param {string} provider */
export const findNormalizedProviderValue = (record, provider) => record?.[findNormalizedProviderKey(record, provider)];
/** Its key. @param {object | undefined} record @param {string} provider @returns {string | undefined} */
export const findNormalizedProviderKey = (record, provider) => Object.keys(record ?? {}).find((key) => normalizeProviderId(key) === normalizeProviderId(provider));

/** Provider and model in canonical form. @param {string} provider @param {string} model @returns {{ provider: string, model: string }} */
export function normalizeModelRef(provider, model) {
  const id = normalizeProviderId(provider);
  return { provider: id, model: catalogModelId(id, model.trim()) };
}
/** A name's parts; without a provider the default one. @param {string} raw @param {string} defaultProvider @returns {{ provider: string, model: string } | null} */
export function parseModelRef(raw, defaultProvider) {
  const text = raw.trim();
  const slash = text.indexOf('/');
  if (!text) return null;
  if (slash < 0) return normalizeModelRef(defaultProvider, text);
  const [provider, model] = [text.slice(0, slash).trim(), text.slice(slash + 1).trim()];
  return provider && model ? normalizeModelRef(provider, model) : null;
}

/** A model setting's first name. @param {unknown} value @returns {string | undefined} */
export const normalizeModelSelection = (value) => (typeof value === 'string' ? normalizeOptionalString(value) : isRecord(value) ? normalizeOptionalString(value.primary) : undefined);

/** Names that stand for models, and the other way round. @param {{ cfg: object, defaultProvider: string }} params */
export function buildModelAliasIndex({ cfg, defaultProvider }) {
  const [byAlias, byKey] = [new Map(), new Map()];
  for (const [raw, entry] of Object.entries(cfg.agents?.defaults?.models ?? {})) {
    const ref = parseModelRef(raw, defaultProvider);
    const alias = normalizeOptionalString(entry?.alias);
    if (!ref || !alias) continue;
    byAlias.set(alias.toLowerCase(), { alias, ref });
    const key = modelKey(ref.provider, ref.model);
    byKey.set(key, [...(byKey.get(key) ?? []), alias]);
  }
  return { byAlias, byKey };
}
/** A name or a name that stands for one. @param {{ raw: string, defaultProvider: string, aliasIndex?: object }} params @returns {{ ref: object, alias?: string } | null} */
export function resolveModelRefFromString({ raw, defaultProvider, aliasIndex }) {
  const text = raw.trim();
  const named = text.includes('/') ? undefined : aliasIndex?.byAlias.get(text.toLowerCase());
  if (named) return { ref: named.ref, alias: named.alias };
  const ref = text ? parseModelRef(text, defaultProvider) : null;
  return ref && { ref };
}

/** The model of configuration, else the default one. @param {{ cfg: object, defaultProvider?: string, defaultModel?: string }} params @returns {{ provider: string, model: string }} */
export function resolveConfiguredModelRef({ cfg, defaultProvider = DEFAULT_PROVIDER, defaultModel = DEFAULT_MODEL }) {
  const raw = resolveAgentModelPrimaryValue(cfg.agents?.defaults?.model);
  const aliasIndex = raw ? buildModelAliasIndex({ cfg, defaultProvider }) : undefined;
  return (raw && resolveModelRefFromString({ raw, defaultProvider: inferProvider(cfg, raw) ?? defaultProvider, aliasIndex })?.ref) || { provider: defaultProvider, model: defaultModel };
}
/** The one provider whose configured models carry a name. */
function inferProvider(cfg, model) {
  if (model.includes('/')) return undefined;
  const found = Object.entries(cfg.models?.providers ?? {}).filter(([, provider]) => (provider?.models ?? []).some((row) => row?.id === model)).map(([id]) => normalizeProviderId(id));
  return new Set(found).size === 1 ? found[0] : undefined;
}
/** The model of an agent. @param {{ cfg: object, agentId?: string }} params @returns {{ provider: string, model: string }} */
export function resolveDefaultModelForAgent({ cfg, agentId }) {
  const own = agentId ? resolveAgentEffectiveModelPrimary(cfg, agentId) : undefined;
  if (!own) return resolveConfiguredModelRef({ cfg });
  const fallbacks = resolveAgentModelFallbackValues(cfg.agents?.defaults?.model);
  return resolveConfiguredModelRef({ cfg: { ...cfg, agents: { ...cfg.agents, defaults: { ...cfg.agents?.defaults, model: { primary: own, fallbacks } } } } });
}
