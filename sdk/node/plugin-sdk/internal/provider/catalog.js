// Catalogues of models: from manifests, from configuration, from services.
import { isRecord, normalizeLowercaseStringOrEmpty } from '../strings.js';
import { resolveProviderRequestCapabilities } from './endpoints.js';
import { normalizeProviderId } from './id.js';
import { catalogModelId, findNormalizedProviderKey } from './model-refs.js';

const INPUTS = ['text', 'image', 'audio', 'video', 'document'];

/** Whether a service tells the usage while it streams. @param {{ providerId: string, baseUrl?: string }} params @returns {boolean} */
export const supportsNativeStreamingUsageCompat = ({ providerId, baseUrl }) =>
  resolveProviderRequestCapabilities({ provider: providerId, api: 'openai-completions', baseUrl }).supportsNativeStreamingUsageCompat;

/** A provider whose models say so. @param {{ providerId: string, providerConfig: object }} params @returns {object} */
export function applyProviderNativeStreamingUsageCompat({ providerId, providerConfig: provider }) {
  if (!supportsNativeStreamingUsageCompat({ providerId, baseUrl: provider.baseUrl }) || !Array.isArray(provider.models)) return provider;
  if (provider.models.every((model) => model.compat?.supportsUsageInStreaming !== undefined)) return provider;
  return { ...provider, models: provider.models.map((model) => ({ ...model, compat: { supportsUsageInStreaming: true, ...model.compat } })) };
}

const price = (cost = {}) => ({
  input: cost.input ?? 0, output: cost.output ?? 0, cacheRead: cost.cacheRead ?? 0, cacheWrite: cost.cacheWrite ?? 0,
  ...(Array.isArray(cost.tieredPricing) ? { tieredPricing: structuredClone(cost.tieredPricing) } : {}),
});
function modelOf(providerId, row) {
  if (!isRecord(row) || typeof row.id !== 'string' || !row.id.trim()) throw new Error(`Invalid modelCatalog.providers.${providerId}.models`);
  for (const key of ['contextWindow', 'maxTokens']) if (row[key] === undefined) throw new Error(`Manifest modelCatalog row ${row.id} is missing ${key}`);
  if (row.input?.includes('document')) throw new Error(`Manifest modelCatalog row ${row.id} uses unsupported runtime input document`);
  const id = catalogModelId(providerId, row.id.trim());
  const own = ['api', 'baseUrl', 'contextTokens', 'headers', 'compat'].filter((key) => row[key] !== undefined).map((key) => [key, structuredClone(row[key])]);
  return { id, name: row.name ?? id, reasoning: row.reasoning ?? false, input: row.input ?? ['text'], cost: price(row.cost), contextWindow: row.contextWindow, maxTokens: row.maxTokens, ...Object.fromEntries(own) };
}
/** A provider's configuration from its manifest's catalogue. @param {{ providerId: string, catalog: object }} params @returns {object} */
export function buildManifestModelProviderConfig({ providerId, catalog }) {
  if (!isRecord(catalog) || !Array.isArray(catalog.models) || catalog.models.length === 0) throw new Error(`Missing modelCatalog.providers.${providerId}`);
  if (!catalog.baseUrl) throw new Error(`Missing modelCatalog.providers.${providerId}.baseUrl`);
  const own = ['api', 'headers'].filter((key) => catalog[key]).map((key) => [key, structuredClone(catalog[key])]);
  return { baseUrl: catalog.baseUrl, ...Object.fromEntries(own), models: catalog.models.map((row) => modelOf(providerId, row)) };
}

/** Catalogues of several providers that share one key. @param {{ ctx: object, providerId: string, buildProviders: () => Promise<object> | object }} params @returns {Promise<{ providers: object } | null>} */
export async function buildPairedProviderApiKeyCatalog({ ctx, providerId, buildProviders }) {
  const { apiKey } = ctx.resolveProviderApiKey(normalizeProviderId(providerId));
  if (!apiKey) return null;
  const rows = Object.entries(await buildProviders()).map(([id, provider]) => [id, { ...provider, apiKey }]);
  return { providers: Object.fromEntries(rows) };
}

/** The first of some models that a list has. @param {{ entries: object[], providerId: string, templateIds: string[] }} params @returns {object | undefined} */
export function findCatalogTemplate({ entries, providerId, templateIds }) {
  const same = (entry, id) => normalizeProviderId(entry.provider) === normalizeProviderId(providerId) && normalizeLowercaseStringOrEmpty(entry.id) === normalizeLowercaseStringOrEmpty(id);
  return templateIds.map((id) => entries.find((entry) => same(entry, id))).find(Boolean);
}

/** The models that configuration gives a provider. @param {{ config?: object, providerId: string, publishedProviderId?: string }} params @returns {object[]} */
export function readConfiguredProviderCatalogEntries({ config, providerId, publishedProviderId }) {
  const provider = publishedProviderId ?? providerId;
  const providers = config?.models?.providers;
  const models = isRecord(providers) ? providers[findNormalizedProviderKey(providers, providerId)]?.models : undefined;
  return (Array.isArray(models) ? models : [])
    .filter((model) => isRecord(model) && typeof model.id === 'string' && model.id.trim())
    .map((model) => {
      const id = catalogModelId(provider, model.id.trim());
      const input = Array.isArray(model.input) ? model.input.filter((kind) => INPUTS.includes(kind)) : [];
      return {
        provider, id, name: (typeof model.name === 'string' ? model.name : id).trim() || id,
        ...(model.contextWindow > 0 && typeof model.contextWindow === 'number' ? { contextWindow: model.contextWindow } : {}),
        ...(typeof model.reasoning === 'boolean' ? { reasoning: model.reasoning } : {}),
        ...(input.length > 0 ? { input } : {}),
      };
    });
}

const live = new Map();
/** A value that is asked for at most once in a time of milliseconds. @param {{ keyParts: unknown[], load: () => Promise<any>, ttlMs?: number, now?: () => number }} params */
export async function getCachedLiveCatalogValue({ keyParts, load, ttlMs = 30_000, now = Date.now }) {
  const key = JSON.stringify(keyParts);
  const known = live.get(key);
  if (known && known.expiresAt > now()) return known.value;
  const value = load();
  live.set(key, { expiresAt: now() + ttlMs, value });
  try {
    return await value;
  } catch (error) {
    live.delete(key);
    throw error;
  }
}
/** Forgets these values. */
export const clearLiveCatalogCacheForTests = () => live.clear();
