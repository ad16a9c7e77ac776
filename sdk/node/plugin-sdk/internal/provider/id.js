// Ids of providers and models.
import { normalizeLowercaseStringOrEmpty, normalizeOptionalLowercaseString } from '../strings.js';

const OTHER_NAMES = {
  modelstudio: 'qwen', qwencloud: 'qwen', 'z.ai': 'zai', 'z-ai': 'zai', 'opencode-zen': 'opencode', 'opencode-go-auth': 'opencode-go', 'anthropic-cli': 'claude-cli',
  'kimi-code': 'kimi', 'kimi-coding': 'kimi', moonshotai: 'moonshot', 'moonshot-ai': 'moonshot', bedrock: 'amazon-bedrock', 'aws-bedrock': 'amazon-bedrock',
  bytedance: 'volcengine', doubao: 'volcengine',
};

/** A provider's id in canonical form. @param {string} provider @returns {string} */
export function normalizeProviderId(provider) {
  const id = normalizeLowercaseStringOrEmpty(provider);
  return Object.hasOwn(OTHER_NAMES, id) ? OTHER_NAMES[id] : id;
}

/** The id under which a provider's credentials are kept. @param {string} provider @returns {string} */
export const normalizeProviderIdForAuth = (provider) => normalizeProviderId(provider);

/** Whether an id is one of the values or begins with one. @param {string} id @param {string[]} values @returns {boolean} */
export const matchesExactOrPrefix = (id, values) => values.some((value) => normalizeLowercaseStringOrEmpty(id).startsWith(normalizeLowercaseStringOrEmpty(value)));

/** Whether a model is one of the GPT-5 line. @param {string} [modelId] @returns {boolean} */
export const isGpt5ModelId = (modelId) => /(?:^|[/:])gpt-5(?:[.-]|$)/.test(normalizeLowercaseStringOrEmpty(modelId));

/** Whether a proxy does not take reasoning options for a model. @param {string} [modelId] @returns {boolean} */
export const isProxyReasoningUnsupportedModelHint = (modelId) => /^x-ai\//.test(normalizeLowercaseStringOrEmpty(modelId));

const ADAPTIVE = /^claude-(?:opus|sonnet)-4[-.]6/;
/** Whether a Claude model thinks adaptively unless told otherwise. @param {string} [modelId] @returns {boolean} */
export const isClaudeAdaptiveThinkingDefaultModelId = (modelId) => ADAPTIVE.test(normalizeOptionalLowercaseString(modelId) ?? '');

const PREVIEWS = {
  'gemini-3-pro': 'gemini-3.1-pro-preview', 'gemini-3-pro-preview': 'gemini-3.1-pro-preview', 'gemini-3-flash': 'gemini-3-flash-preview',
  'gemini-3.1-pro': 'gemini-3.1-pro-preview', 'gemini-3.1-flash-lite': 'gemini-3.1-flash-lite-preview',
  'gemini-3.1-flash': 'gemini-3-flash-preview', 'gemini-3.1-flash-preview': 'gemini-3-flash-preview',
};
/** The id under which Google serves a preview model. @param {string} id @returns {string} */
export const normalizeGooglePreviewModelId = (id) => (id.startsWith('google/') ? `google/${normalizeGooglePreviewModelId(id.slice(7))}` : PREVIEWS[id] ?? id);
export const normalizeGoogleModelId = normalizeGooglePreviewModelId;

/** The id under which Antigravity serves a model. @param {string} id @returns {string} */
export const normalizeAntigravityPreviewModelId = (id) => (/^gemini-3(?:[.-]1)?-pro$/.test(id) ? `${id}-low` : id);

export const isGoogleGemini25ThinkingBudgetModel = (/** @type {string} */ modelId) => /(?:^|\/)gemini-2\.5-/.test(normalizeLowercaseStringOrEmpty(modelId));
export const isGoogleGemini3ProModel = (/** @type {string} */ modelId) => /(?:^|\/)gemini-(?:3(?:\.\d+)?-pro|pro-latest)(?:-|$)/.test(normalizeLowercaseStringOrEmpty(modelId));
export const isGoogleGemini3FlashModel = (/** @type {string} */ modelId) => /(?:^|\/)gemini-(?:3(?:\.\d+)?-flash|flash(?:-lite)?-latest)(?:-|$)/.test(normalizeLowercaseStringOrEmpty(modelId));
export const isGoogleGemini3ThinkingLevelModel = (/** @type {string} */ modelId) => isGoogleGemini3ProModel(modelId) || isGoogleGemini3FlashModel(modelId);
export const isGoogleThinkingRequiredModel = (/** @type {string} */ modelId) => normalizeLowercaseStringOrEmpty(modelId).includes('gemini-2.5-pro');
