// Facts about models: in catalogues, in the configuration, in rows of sessions.
import { resolveAgentConfig, resolveAgentModelPrimaryValue } from './agents.js';
import { normalizeProviderId } from './provider/id.js';
import { buildModelAliasIndex, findNormalizedProviderValue, modelKey, normalizeModelSelection, parseModelRef, resolveDefaultModelForAgent, resolveModelRefFromString } from './provider/model-refs.js';
import { DEFAULT_PROVIDER } from './provider/defaults.js';
import { normalizeLowercaseStringOrEmpty, normalizeOptionalString } from './strings.js';

const same = (a, b) => normalizeLowercaseStringOrEmpty(a) === normalizeLowercaseStringOrEmpty(b);
/** @param {any[]} catalog @param {string} provider @param {string} modelId */
export const findModelInCatalog = (catalog, provider, modelId) => catalog.find((entry) => normalizeProviderId(entry.provider) === normalizeProviderId(provider) && same(entry.id, modelId));
/** A model by its id; without a provider only when one provider has it. @param {any[]} catalog @param {{provider?: string, modelId?: string}} params */
export function findModelCatalogEntry(catalog, { provider, modelId }) {
  const id = normalizeOptionalString(modelId);
  if (!id) return undefined;
  if (normalizeOptionalString(provider)) return findModelInCatalog(catalog, provider.trim(), id);
  const found = catalog.filter((entry) => same(entry.id, id));
  return found.length === 1 ? found[0] : undefined;
}
/** @param {{input?: string[]} | undefined} entry @param {string} input @returns {boolean} */
export const modelSupportsInput = (entry, input) => entry?.input?.includes(input) ?? false;
/** @param {{input?: string[]} | undefined} entry @returns {boolean} */
export const modelSupportsVision = (entry) => modelSupportsInput(entry, 'image');
/** @param {{input?: string[]} | undefined} entry @returns {boolean} */
export const modelSupportsDocument = (entry) => modelSupportsInput(entry, 'document');

const only = (names) => {
  const distinct = new Set(names.map(normalizeProviderId).filter(Boolean));
  return distinct.size === 1 ? [...distinct][0] : undefined;
};
/** The only provider of a model in a catalogue. @param {{model: string, catalog: any[]}} params @returns {string | undefined} */
export const inferUniqueProviderFromCatalog = ({ model, catalog }) => (model.trim() ? only(catalog.filter(({ id }) => id.trim() && same(id, model)).map(({ provider }) => provider)) : undefined);
/** The only provider of a model in the configuration. @param {{cfg: object, model: string}} params @returns {string | undefined} */
export function inferUniqueProviderFromConfiguredModels({ cfg, model }) {
  if (!model.trim()) return undefined;
  const named = Object.keys(cfg.agents?.defaults?.models ?? {}).map((ref) => ref.trim()).filter((ref) => ref.includes('/') && !ref.endsWith('/*')).map((ref) => parseModelRef(ref, DEFAULT_PROVIDER)).filter((ref) => ref && same(ref.model, model));
  const owners = Object.entries(cfg.models?.providers ?? {}).filter(([, provider]) => Array.isArray(provider?.models) && provider.models.some((entry) => entry?.id?.trim() && same(entry.id, model)));
  return only([...named.map(({ provider }) => provider), ...owners.map(([id]) => id)]);
}
/** The provider of a model that is named alone. @param {{cfg: object, catalog: any[], model: string, defaultProvider: string}} params @returns {string} */
export const resolveBareModelDefaultProvider = ({ defaultProvider, ...params }) => inferUniqueProviderFromConfiguredModels(params) ?? inferUniqueProviderFromCatalog(params) ?? defaultProvider;

const positive = (value) => (typeof value === 'number' && value > 0 ? value : undefined);
/** The models that the configuration describes. @param {{cfg: object}} params @returns {any[]} */
export const buildConfiguredModelCatalog = ({ cfg }) =>
  Object.entries(cfg.models?.providers ?? {}).flatMap(([raw, provider]) => (normalizeProviderId(raw) && Array.isArray(provider?.models) ? provider.models : []).filter((model) => normalizeOptionalString(model?.id)).map((model) => {
    const id = model.id.trim();
    return {
      provider: normalizeProviderId(raw), id, name: normalizeOptionalString(model.name) ?? id, contextWindow: positive(model.contextWindow), contextTokens: positive(model.contextTokens),
      reasoning: typeof model.reasoning === 'boolean' ? model.reasoning : undefined, input: Array.isArray(model.input) ? model.input : undefined, compat: model.compat && typeof model.compat === 'object' ? model.compat : undefined,
    };
  }));
/** The key of a model as older versions wrote it; `null` when it is today's. @param {string} provider @param {string} model @returns {string | null} */
export function legacyModelKey(provider, model) {
  const [owner, id] = [provider.trim(), model.trim()];
  const raw = `${owner}/${id}`;
  return owner && id && raw !== modelKey(owner, id) ? raw : null;
}
/** A choice in a row without the provider in the model's name. @param {{providerOverride?: unknown, modelOverride?: unknown}} params */
export function normalizeStoredOverrideModel(params) {
  const [providerOverride, modelOverride] = [params.providerOverride, params.modelOverride].map(normalizeOptionalString);
  if (!providerOverride || !modelOverride || !modelOverride.toLowerCase().startsWith(`${providerOverride.toLowerCase()}/`)) return { providerOverride, modelOverride };
  return { providerOverride, modelOverride: modelOverride.slice(providerOverride.length + 1).trim() || modelOverride };
}
/** A model that a tool is given; nothing and `default` mean none. @param {unknown} value @returns {string | undefined} */
export function normalizeToolModelOverride(value) {
  const model = normalizeOptionalString(value);
  return model?.toLowerCase() === 'default' ? undefined : model;
}
const usual = (provider) => normalizeOptionalString(provider) ?? DEFAULT_PROVIDER;
/** The model that was chosen in a row. @param {any} params @returns {{provider: string, model: string} | null} */
export function resolvePersistedOverrideModelRef({ defaultProvider, overrideProvider, overrideModel }) {
  const [provider, model] = [overrideProvider, overrideModel].map(normalizeOptionalString);
  if (!model) return null;
  return parseModelRef(provider ? `${provider}/${model}` : model, usual(defaultProvider)) ?? { provider: provider ?? usual(defaultProvider), model };
}
/** The model that ran last, else the chosen one. @param {any} params @returns {{provider: string, model: string} | null} */
export function resolvePersistedModelRef({ runtimeProvider, runtimeModel, ...params }) {
  const [provider, model] = [runtimeProvider, runtimeModel].map(normalizeOptionalString);
  if (!model) return resolvePersistedOverrideModelRef(params);
  return provider ? { provider, model } : parseModelRef(model, usual(params.defaultProvider)) ?? { provider: usual(params.defaultProvider), model };
}
/** The chosen model, else the one that ran last. @param {any} params @returns {{provider: string, model: string} | null} */
export const resolvePersistedSelectedModelRef = (params) => resolvePersistedOverrideModelRef(params) ?? resolvePersistedModelRef({ ...params, overrideModel: undefined });

/** The model of hooks for mail. @param {{cfg: object, defaultProvider: string}} params @returns {{provider: string, model: string} | null} */
export function resolveHooksGmailModel({ cfg, defaultProvider }) {
  const raw = cfg.hooks?.gmail?.model;
  return raw?.trim() ? resolveModelRefFromString({ raw, defaultProvider, aliasIndex: buildModelAliasIndex({ cfg, defaultProvider }) })?.ref ?? null : null;
}
/** The model that is set for runs of an agent's helpers. @param {{cfg: object, agentId: string}} params @returns {string | undefined} */
export function resolveSubagentConfiguredModelSelection({ cfg, agentId }) {
  const own = resolveAgentConfig(cfg, agentId);
  return [own?.subagents?.model, cfg.agents?.defaults?.subagents?.model, own?.model].map(normalizeModelSelection).find(Boolean);
}
/** The model of such a run. @param {{cfg: object, agentId: string, modelOverride?: unknown}} params @returns {string} */
export function resolveSubagentSpawnModelSelection({ cfg, agentId, modelOverride }) {
  const main = resolveDefaultModelForAgent({ cfg, agentId });
  const chosen = normalizeModelSelection(modelOverride) ?? resolveSubagentConfiguredModelSelection({ cfg, agentId }) ?? normalizeModelSelection(resolveAgentModelPrimaryValue(cfg.agents?.defaults?.model)) ?? `${main.provider}/${main.model}`;
  const named = chosen.includes('/') ? undefined : buildModelAliasIndex({ cfg, defaultProvider: main.provider }).byAlias.get(chosen.toLowerCase());
  return named ? `${named.ref.provider}/${named.ref.model}` : chosen;
}
const distinct = (values) => [...new Set(values.map((value) => value?.trim()).filter(Boolean))];
/** What of catalogues is about a model. @param {{cfg?: object, provider: string, model: string}} params @returns {{providerRefs: string[], modelRefs: string[]}} */
export function resolveModelCatalogScope({ cfg, provider: owner, model: id }) {
  const [provider, model] = [owner.trim(), id.trim()];
  return { providerRefs: distinct([provider, findNormalizedProviderValue(cfg?.models?.providers, provider)?.api]), modelRefs: distinct([provider && model ? `${provider}/${model}` : model, model]) };
}
/** The providers to ask for such a part. @param {{providerRefs?: string[], modelRefs?: string[]}} params @returns {string[] | undefined} */
export function resolveProviderDiscoveryProviderIdsForCatalogScope({ providerRefs = [], modelRefs = [] }) {
  const owners = modelRefs.map((ref) => (ref?.trim().indexOf('/') > 0 ? normalizeProviderId(ref.trim().slice(0, ref.trim().indexOf('/'))) || undefined : undefined));
  const ids = distinct([...providerRefs, ...owners]);
  return ids.length > 0 ? ids : undefined;
}
