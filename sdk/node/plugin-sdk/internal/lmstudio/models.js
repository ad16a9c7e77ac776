// LM Studio: its addresses, and its models as it describes them.
import { SELF_HOSTED_DEFAULT_CONTEXT_WINDOW, SELF_HOSTED_DEFAULT_COST, SELF_HOSTED_DEFAULT_MAX_TOKENS } from '../provider/self-hosted.js';

export const LMSTUDIO_PROVIDER_ID = 'lmstudio';
export const LMSTUDIO_PROVIDER_LABEL = 'LM Studio';
export const LMSTUDIO_DEFAULT_BASE_URL = 'http://localhost:1234';
export const LMSTUDIO_DEFAULT_INFERENCE_BASE_URL = `${LMSTUDIO_DEFAULT_BASE_URL}/v1`;
export const LMSTUDIO_DEFAULT_EMBEDDING_MODEL = 'text-embedding-nomic-embed-text-v1.5';
export const LMSTUDIO_DEFAULT_MODEL_ID = 'qwen/qwen3.5-9b';
export const LMSTUDIO_MODEL_PLACEHOLDER = 'model-key-from-api-v1-models';
export const LMSTUDIO_DEFAULT_API_KEY_ENV_VAR = 'LM_API_TOKEN';
/** Stands for no key. */
export const LMSTUDIO_LOCAL_API_KEY_PLACEHOLDER = 'lmstudio-local';
/** The context with which models are loaded, in tokens. */
export const LMSTUDIO_DEFAULT_LOAD_CONTEXT_LENGTH = 64_000;

const EFFORTS = ['minimal', 'low', 'medium', 'high', 'xhigh'];
const withoutApi = (pathname) => pathname.replace(/\/+$/, '').replace(/\/api\/v1$/i, '').replace(/\/v1$/i, '');
const looksLikeHost = (text) => /^(?:localhost|(?:\d{1,3}\.){3}\d{1,3}|[a-z0-9.-]+\.[a-z]{2,}|[^/\s?#]+:\d+)(?:[/?#].*)?$/i.test(text);

/** The server's address, without the path of an interface. @param {string} [configured] @returns {string} */
export function resolveLmstudioServerBase(configured) {
  const given = configured?.trim() || LMSTUDIO_DEFAULT_BASE_URL;
  const url = URL.parse(!/^https?:\/\//i.test(given) && looksLikeHost(given) ? `http://${given}` : given);
  if (!url || !/^https?:$/.test(url.protocol)) return withoutApi(given) || LMSTUDIO_DEFAULT_BASE_URL;
  Object.assign(url, { pathname: withoutApi(url.pathname) || '/', search: '', hash: '' });
  return url.toString().replace(/\/$/, '');
}
/** The address of the interface that speaks as OpenAI's does. @param {string} [configured] @returns {string} */
export const resolveLmstudioInferenceBase = (configured) => `${resolveLmstudioServerBase(configured)}/v1`;
/** A provider's settings with the right address; LM Studio is in the user's own network. @param {any} provider @returns {any} */
export function normalizeLmstudioProviderConfig(provider) {
  const given = typeof provider.baseUrl === 'string' ? provider.baseUrl.trim() : '';
  if (!given) return provider;
  const request = provider.request && typeof provider.request === 'object' && !Array.isArray(provider.request) ? provider.request : undefined;
  const allowed = typeof request?.allowPrivateNetwork === 'boolean';
  const baseUrl = resolveLmstudioInferenceBase(given);
  return allowed && baseUrl === provider.baseUrl ? provider : { ...provider, baseUrl, request: allowed ? request : { ...request, allowPrivateNetwork: true } };
}

const optionsOf = (value) => (Array.isArray(value) ? [...new Set(value.map((option) => (typeof option === 'string' ? option.trim().toLowerCase() : '')).filter(Boolean))] : []);
/** Whether a model can think. @param {any} entry @returns {boolean} */
export function resolveLmstudioReasoningCapability({ capabilities }) {
  const reasoning = capabilities?.reasoning;
  if (reasoning === undefined || reasoning === null) return false;
  const options = optionsOf(reasoning.allowed_options);
  return (options.length > 0 ? options : optionsOf([reasoning.default])).some((option) => option !== 'off');
}
function compatOf({ capabilities }) {
  const options = optionsOf(capabilities?.reasoning?.allowed_options);
  const binary = options.includes('on') && options.every((option) => option === 'on' || option === 'off');
  const efforts = binary ? [...(options.includes('off') ? ['none'] : []), ...EFFORTS] : [...new Set(options.map((option) => (option === 'off' ? 'none' : option)).filter((option) => option !== 'on'))];
  const most = ['xhigh', 'high', 'medium', 'low', 'minimal'].find((option) => efforts.includes(option)) ?? efforts.find((option) => option !== 'none');
  if (!most) return undefined;
  return { supportsReasoningEffort: true, supportedReasoningEfforts: efforts, reasoningEffortMap: { ...(efforts.includes('none') ? { off: 'none', none: 'none' } : {}), adaptive: most, max: most } };
}
const count = (value) => (Number.isFinite(value) && value > 0 ? Math.floor(value) : undefined);
/** The largest context of the loaded copies of a model; `null` for none. @param {any} entry @returns {number | null} */
export function resolveLoadedContextWindow({ loaded_instances: loaded }) {
  const lengths = (Array.isArray(loaded) ? loaded : []).map((instance) => count(instance?.config?.context_length)).filter((length) => length !== undefined);
  return lengths.length > 0 ? Math.max(...lengths) : null;
}
/** A language model; `null` for what is none. @param {any} entry @returns {any} */
export function mapLmstudioWireEntry(entry) {
  const id = entry.key?.trim() ?? '';
  if (entry.type !== 'llm' || !id) return null;
  const loaded = resolveLoadedContextWindow(entry);
  const contextWindow = count(entry.max_context_length) ?? SELF_HOSTED_DEFAULT_CONTEXT_WINDOW;
  const { vision, trained_for_tool_use: tools } = entry.capabilities ?? {};
  return {
    id, displayName: entry.display_name?.trim() || id, format: entry.format ?? null, vision: vision === true, trainedForToolUse: tools === true, loaded: loaded !== null, reasoning: resolveLmstudioReasoningCapability(entry),
    input: vision ? ['text', 'image'] : ['text'], cost: SELF_HOSTED_DEFAULT_COST, compat: compatOf(entry), contextWindow, contextTokens: Math.min(contextWindow, LMSTUDIO_DEFAULT_LOAD_CONTEXT_LENGTH),
    maxTokens: Math.max(1, Math.min(contextWindow, SELF_HOSTED_DEFAULT_MAX_TOKENS)),
  };
}
/** A model for the configuration. @param {any} base @param {string} [name] */
export const asModel = ({ id, displayName, reasoning, input, cost, compat, contextWindow, contextTokens, maxTokens }, name = displayName) => ({ id, name, reasoning, input, cost, ...(compat ? { compat } : {}), contextWindow, contextTokens, maxTokens });
/** A name with what matters when one chooses. @param {any} base @returns {string} */
export function describedName({ displayName, format, vision, trainedForToolUse, loaded }) {
  const tags = [{ mlx: 'MLX', gguf: 'GGUF' }[format], vision && 'vision', trainedForToolUse && 'tool-use', loaded && 'loaded'].filter(Boolean);
  return tags.length > 0 ? `${displayName} (${tags.join(', ')})` : displayName;
}
