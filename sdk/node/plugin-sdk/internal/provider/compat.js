// What models of a provider take: settings in `compat`.
import { completionsDefaults, resolveProviderRequestCapabilities } from './endpoints.js';

function compatOf(model) {
  if (!model || typeof model !== 'object') return undefined;
  if (!('compat' in model)) return model;
  return model.compat && typeof model.compat === 'object' ? model.compat : undefined;
}

/** Whether a model searches the web itself. @param {object} [model] a model or its `compat` @returns {boolean} */
export const hasNativeWebSearchTool = (model) => compatOf(model)?.nativeWebSearchTool === true;
/** Whether a model's tools are written by a profile. @param {object} model @param {string} profile @returns {boolean} */
export const hasToolSchemaProfile = (model, profile) => compatOf(model)?.toolSchemaProfile === profile;
/** How the arguments of tool calls are written. @param {object} [model] @returns {string | undefined} */
export const resolveToolCallArgumentsEncoding = (model) => compatOf(model)?.toolCallArgumentsEncoding;
/** Words of JSON Schema that a model does not take. @param {object} [model] @returns {Set<string>} */
export const resolveUnsupportedToolSchemaKeywords = (model) =>
  new Set((compatOf(model)?.unsupportedToolSchemaKeywords ?? []).filter((word) => typeof word === 'string').map((word) => word.trim()).filter(Boolean));

/** A model with settings added; the same one when nothing changes. @param {object} model @param {object} patch @returns {object} */
export const applyModelCompatPatch = (model, patch) =>
  model.compat && Object.entries(patch).every(([key, value]) => model.compat[key] === value) ? model : { ...model, compat: { ...model.compat, ...patch } };

/** A model with what its address tells of it. @param {object} model @returns {object} */
export function normalizeModelCompat(model) {
  const baseUrl = model.baseUrl ?? '';
  if (model.api === 'anthropic-messages') {
    const bare = baseUrl.replace(/\/v1\/?$/, '');
    return bare === baseUrl ? model : { ...model, baseUrl: bare };
  }
  if (model.api !== 'openai-completions' || !baseUrl) return model;
  const own = model.compat ?? undefined;
  const found = completionsDefaults(resolveProviderRequestCapabilities({ provider: model.provider, api: model.api, baseUrl, compat: own }));
  const keys = ['supportsDeveloperRole', 'supportsUsageInStreaming', 'supportsStrictMode'];
  if (keys.every((key) => found[key]) || keys.every((key) => own?.[key] !== undefined)) return model;
  return {
    ...model,
    compat: {
      ...own,
      supportsDeveloperRole: own?.supportsDeveloperRole === true,
      supportsUsageInStreaming: own?.supportsUsageInStreaming ?? found.supportsUsageInStreaming,
      supportsStrictMode: own?.supportsStrictMode ?? found.supportsStrictMode,
    },
  };
}

/** A new model after the first template that the registry has. @param {object} params @returns {object | undefined} */
export function cloneFirstTemplateModel({ providerId, modelId, templateIds, ctx, patch }) {
  const id = modelId.trim();
  const template = templateIds.filter(Boolean).map((name) => ctx.modelRegistry.find(providerId, name)).find(Boolean);
  return template && normalizeModelCompat({ ...template, id, name: id, ...patch });
}

const LEVELS = ['off', 'minimal', 'low', 'medium', 'high'].map((id) => ({ id }));
/** How a Claude model can think. @param {string} modelId @returns {{ levels: { id: string }[], defaultLevel?: string }} */
export function resolveClaudeThinkingProfile(modelId) {
  const found = /^claude-(opus|sonnet)-4[-.]([67])/.exec(String(modelId ?? '').trim().toLowerCase());
  if (found?.[2] === '7') return found[1] === 'opus' ? { levels: [...LEVELS, { id: 'xhigh' }, { id: 'adaptive' }, { id: 'max' }], defaultLevel: 'off' } : { levels: LEVELS };
  return found ? { levels: [...LEVELS, { id: 'adaptive' }], defaultLevel: 'adaptive' } : { levels: LEVELS };
}
