// Settings that a provider's set-up writes: its models, their names, the first model of the agents.
import { isRecord } from '../strings.js';
import { catalogModelId, findNormalizedProviderKey, modelKey, modelRefForConfig, parseModelRef } from './model-refs.js';

export const OPENCODE_ZEN_DEFAULT_MODEL = 'opencode/claude-opus-4-6';
const OLDER_ZEN = ['opencode/claude-opus-4-5', 'opencode-zen/claude-opus-4-5'];

function mergedEntry(before, entry) {
  if (!isRecord(before) || !isRecord(entry)) return entry;
  const params = isRecord(before.params) || isRecord(entry.params) ? { params: { ...(isRecord(before.params) ? before.params : {}), ...(isRecord(entry.params) ? entry.params : {}) } } : {};
  return { ...before, ...entry, ...params };
}
/** Models by the names that configuration keeps. */
function modelMap(models) {
  const next = {};
  for (const [ref, entry] of Object.entries(models)) next[modelRefForConfig(ref)] = mergedEntry(next[modelRefForConfig(ref)], entry);
  return next;
}
function modelList(providerId, models) {
  const byId = new Map();
  for (const model of models) {
    const id = catalogModelId(providerId, model.id);
    const normal = id === model.id ? model : { ...model, id };
    byId.set(id, byId.has(id) ? { ...normal, ...byId.get(id) } : normal);
  }
  return [...byId.values()];
}
const withDefaults = (cfg, changes) => ({ ...cfg, agents: { ...cfg.agents, defaults: { ...cfg.agents?.defaults, ...changes } } });

/** Makes a model the first of all agents. @param {object} cfg @param {string} primary @returns {object} */
export function applyAgentDefaultModelPrimary(cfg, primary) {
  const { model, models } = cfg.agents?.defaults ?? {};
  const fallbacks = Array.isArray(model?.fallbacks) ? { fallbacks: model.fallbacks.map((ref) => modelRefForConfig(String(ref))) } : {};
  const next = withDefaults(cfg, { model: { ...fallbacks, primary: modelRefForConfig(primary) }, ...(models === undefined ? {} : { models: modelMap(models) }) });
  const providers = cfg.models?.providers;
  if (!providers) return next;
  const normal = Object.entries(providers).map(([id, provider]) => [id, Array.isArray(provider.models) ? { ...provider, models: modelList(id, provider.models) } : provider]);
  return { ...next, models: { ...cfg.models, providers: Object.fromEntries(normal) } };
}
/** @param {object} cfg @param {{agentModels: object, providers: object}} params @returns {object} */
export const applyOnboardAuthAgentModelsAndProviders = (cfg, { agentModels, providers }) => ({
  ...withDefaults(cfg, { models: modelMap({ ...cfg.agents?.defaults?.models, ...agentModels }) }), models: { mode: cfg.models?.mode ?? 'merge', providers },
});
/** @param {object} cfg @returns {{next: object, changed: boolean}} */
export function applyOpencodeZenModelDefault(cfg) {
  const model = cfg.agents?.defaults?.model;
  const current = (typeof model === 'string' ? model : model?.primary)?.trim?.();
  if (current === OPENCODE_ZEN_DEFAULT_MODEL || OLDER_ZEN.includes(current)) return { next: cfg, changed: false };
  return { next: applyAgentDefaultModelPrimary(cfg, OPENCODE_ZEN_DEFAULT_MODEL), changed: true };
}
/** Names of models; one that exists stays. @param {object | undefined} existing @param {(string | {modelRef: string, alias?: string})[]} aliases @returns {object} */
export function withAgentModelAliases(existing, aliases) {
  const next = modelMap({ ...existing });
  for (const entry of aliases) {
    const { modelRef, alias } = typeof entry === 'string' ? { modelRef: entry } : entry;
    const ref = modelRefForConfig(modelRef);
    next[ref] = { ...next[ref], ...(alias ? { alias: next[ref]?.alias ?? alias } : {}) };
  }
  return next;
}
/** Lets agents use a model. @param {{cfg: object, modelRef: string, defaultProvider?: string}} params @returns {object} */
export function ensureModelAllowlistEntry({ cfg, modelRef, defaultProvider = 'openai' }) {
  const raw = modelRef.trim();
  if (!raw) return cfg;
  const ref = parseModelRef(raw, defaultProvider);
  const models = { ...cfg.agents?.defaults?.models };
  for (const key of [raw, ...(ref ? [modelKey(ref.provider, ref.model)] : [])]) models[key] = { ...models[key] };
  return withDefaults(cfg, { models });
}

/** Writes a provider; what the configuration knows of its models comes first. */
function withProvider(cfg, { providerId, api, baseUrl, agentModels }, choose, offered) {
  const providers = { ...cfg.models?.providers };
  const key = findNormalizedProviderKey(providers, providerId);
  const { apiKey, ...existing } = (key !== undefined && providers[key]) || {};
  const known = Array.isArray(existing.models) ? modelList(providerId, existing.models) : [];
  if (key && key !== providerId) delete providers[key];
  const merged = modelList(providerId, choose(known));
  const models = merged.length > 0 ? merged : modelList(providerId, offered);
  providers[providerId] = { ...existing, baseUrl, api, ...(typeof apiKey === 'string' && apiKey.trim() ? { apiKey: apiKey.trim() } : {}), models };
  return applyOnboardAuthAgentModelsAndProviders(cfg, { agentModels, providers });
}
/** Adds the provider's models unless its first one is known. @param {object} cfg @param {any} params @returns {object} */
export function applyProviderConfigWithDefaultModels(cfg, params) {
  const { defaultModels } = params;
  const first = params.defaultModelId ?? defaultModels[0]?.id;
  return withProvider(cfg, params, (known) => (known.length === 0 ? defaultModels : !first || known.some(({ id }) => id === first) ? known : [...known, ...defaultModels]), defaultModels);
}
/** The same with one model. @param {object} cfg @param {any} params @returns {object} */
export const applyProviderConfigWithDefaultModel = (cfg, { defaultModel, defaultModelId, ...params }) => applyProviderConfigWithDefaultModels(cfg, { ...params, defaultModels: [defaultModel], defaultModelId: defaultModelId ?? defaultModel.id });
/** Adds the models of a catalogue that are not known. @param {object} cfg @param {any} params @returns {object} */
export const applyProviderConfigWithModelCatalog = (cfg, params) =>
  withProvider(cfg, params, (known) => [...known, ...params.catalogModels.filter(({ id }) => !known.some((model) => model.id === id))], params.catalogModels);

const preset = (apply) => (cfg, { aliases = [], primaryModelRef, ...params }) => {
  const next = apply(cfg, { ...params, agentModels: withAgentModelAliases(cfg.agents?.defaults?.models, aliases) });
  return primaryModelRef ? applyAgentDefaultModelPrimary(next, primaryModelRef) : next;
};
/** @type {(cfg: object, params: any) => object} */
export const applyProviderConfigWithDefaultModelPreset = preset(applyProviderConfigWithDefaultModel);
/** @type {(cfg: object, params: any) => object} */
export const applyProviderConfigWithDefaultModelsPreset = preset(applyProviderConfigWithDefaultModels);
/** @type {(cfg: object, params: any) => object} */
export const applyProviderConfigWithModelCatalogPreset = preset(applyProviderConfigWithModelCatalog);

const appliers = (apply) => ({ resolveParams, primaryModelRef }) => {
  const run = (more) => (cfg, ...args) => {
    const params = resolveParams(cfg, ...args);
    return params ? apply(cfg, { ...params, ...more }) : cfg;
  };
  return { applyProviderConfig: run({}), applyConfig: run({ primaryModelRef }) };
};
/** @type {(params: any) => {applyProviderConfig: Function, applyConfig: Function}} */
export const createDefaultModelPresetAppliers = appliers(applyProviderConfigWithDefaultModelPreset);
/** @type {(params: any) => {applyProviderConfig: Function, applyConfig: Function}} */
export const createDefaultModelsPresetAppliers = appliers(applyProviderConfigWithDefaultModelsPreset);
/** @type {(params: any) => {applyProviderConfig: Function, applyConfig: Function}} */
export const createModelCatalogPresetAppliers = appliers(applyProviderConfigWithModelCatalogPreset);
