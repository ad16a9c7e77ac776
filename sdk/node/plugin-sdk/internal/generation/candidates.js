// Which models are tried for a capability, and what is said when all fail.
import { resolveAgentModelFallbackValues, resolveAgentModelPrimaryValue } from '../agents.js';
import { getProviderEnvVars } from '../auth/env-names.js';
import { isProviderApiKeyConfigured } from '../auth/order.js';
import { formatErrorMessage } from '../error-text.js';
import { DEFAULT_PROVIDER } from '../provider/defaults.js';
import { normalizeOptionalString } from '../strings.js';

/** `provider/model` as its parts; `null` for anything else. @param {string} [raw] @returns {{ provider: string, model: string } | null} */
export function parseCapabilityModelRef(raw) {
  const [, provider, model] = /^([^/]+)\/(.+)$/s.exec(raw?.trim() ?? '') ?? [];
  return provider?.trim() && model?.trim() ? { provider: provider.trim(), model: model.trim() } : null;
}

const byModel = (providers, model) => {
  const found = model && providers.find((provider) => [provider.defaultModel, ...(provider.models ?? [])].some((one) => normalizeOptionalString(one) === model));
  return found ? { provider: found.id, model } : null;
};

/** Providers that are ready, that of the agent's own model first. */
function automatic({ cfg, agentDir, providers }) {
  const ready = ({ isConfigured, id }) => (isConfigured ? isConfigured({ cfg, agentDir }) : isProviderApiKeyConfigured({ provider: id, agentDir }));
  const rows = new Map();
  for (const provider of providers) {
    const [id, model] = [normalizeOptionalString(provider.id), normalizeOptionalString(provider.defaultModel)];
    if (id && model && !rows.has(id) && ready(provider)) rows.set(id, { ref: { provider: id, model }, names: [id, ...(provider.aliases ?? []).map(normalizeOptionalString)] });
  }
  const [own] = (normalizeOptionalString(resolveAgentModelPrimaryValue(cfg?.agents?.defaults?.model)) ?? '').split(/\/(.*)/s, 1);
  const named = resolveAgentModelPrimaryValue(cfg?.agents?.defaults?.model)?.includes('/') ? own.trim() : DEFAULT_PROVIDER;
  const sorted = [...rows.keys()].sort().map((id) => rows.get(id));
  return [...sorted.filter(({ names }) => names.includes(named)), ...sorted.filter(({ names }) => !names.includes(named))].map(({ ref }) => ref);
}

/** The models to try, the best first, each once. @param {object} params @returns {{ provider: string, model: string }[]} */
export function resolveCapabilityModelCandidates(params) {
  const { cfg, modelConfig, modelOverride, parseModelRef, agentDir, listProviders } = params;
  let known;
  const providers = () => (known ??= listProviders?.(cfg) ?? []);
  const resolve = (raw, looks) => {
    const text = normalizeOptionalString(raw);
    return text ? (looks && byModel(providers(), text)) || parseModelRef(raw) : null;
  };
  const override = resolve(modelOverride, true);
  if (override) return [override];
  const auto = params.autoProviderFallback ?? cfg.agents?.defaults?.mediaGenerationAutoProviderFallback !== false;
  const named = [resolveAgentModelPrimaryValue(modelConfig), ...resolveAgentModelFallbackValues(modelConfig)].map((raw) => resolve(raw, auto));
  const rest = auto && listProviders ? automatic({ cfg, agentDir, providers: providers() }) : [];
  const all = [...named, ...rest].filter(Boolean);
  return all.filter((one, index) => all.findIndex((other) => other.provider === one.provider && other.model === one.model) === index);
}

/** Whether an error says of a model call why another model should be tried. @param {unknown} error @returns {boolean} */
export const isFailoverError = (error) => error?.name === 'FailoverError' && typeof error.reason === 'string';

/** Notes why a model failed. @param {{ attempts: object[], provider: string, model: string, error: unknown }} params */
export function recordCapabilityCandidateFailure({ attempts, provider, model, error }) {
  const told = isFailoverError(error) ? error : undefined;
  attempts.push({ provider, model, error: told?.message ?? formatErrorMessage(error), reason: told?.reason, status: told?.status, code: told?.code });
}

const nameOf = ({ provider, model }) => `${provider}/${model}`;
const aborted = ({ error }) => /(?:this |^)operation was aborted|operation was aborted|request was aborted/.test(error.trim().toLowerCase());

/** Fails with what every model said. @param {{ capabilityLabel: string, attempts: object[], lastError: unknown }} params @returns {never} */
export function throwCapabilityGenerationFailure({ capabilityLabel, attempts, lastError }) {
  if (attempts.length <= 1 && lastError) throw lastError;
  const [stopped, failed] = [attempts.filter(aborted), attempts.filter((attempt) => !aborted(attempt))];
  const summary = [
    ...failed.map((attempt) => `${nameOf(attempt)}: ${attempt.error}`),
    ...(stopped.length > 0 ? [`${stopped.length} fallback(s) aborted after the request was cancelled or timed out: ${stopped.map(nameOf).join(', ')}`] : []),
  ];
  throw new Error(`All ${capabilityLabel} models failed (${attempts.length}): ${summary.join(' | ') || 'unknown'}`, { cause: lastError instanceof Error ? lastError : undefined });
}

/** What to do when no model is configured. @param {{ capabilityLabel: string, modelConfigKey: string, providers: object[], fallbackSampleRef?: string, getProviderEnvVars?: (id: string) => string[] }} params @returns {string} */
export function buildNoCapabilityModelConfiguredMessage({ capabilityLabel, modelConfigKey, providers, fallbackSampleRef = '<provider>/<model>', getProviderEnvVars: namesOf = getProviderEnvVars }) {
  const sample = providers.find(({ id, defaultModel }) => normalizeOptionalString(id) && normalizeOptionalString(defaultModel));
  const ref = sample ? `${sample.id}/${sample.defaultModel}` : fallbackSampleRef;
  const hints = providers.map(({ id }) => [id, namesOf(id)]).filter(([, names]) => names.length > 0).map(([id, names]) => `${id}: ${names.join(' / ')}`).slice(0, 3);
  const auth = hints.length > 0 ? `If you want a specific provider, also configure that provider's auth/API key first (${hints.join('; ')}).` : "If you want a specific provider, also configure that provider's auth/API key first.";
  return `No ${capabilityLabel} model configured. Set agents.defaults.${modelConfigKey}.primary to a provider/model like "${ref}". ${auth}`;
}
