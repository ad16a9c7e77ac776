// Models as a provider's own list has them.
import { isNonSecretApiKeyMarker } from '../auth/markers.js';
import { ssrfPolicyFromHttpBaseUrlAllowedHostname } from '../ssrf-policy.js';
import { fetchWithSsrFGuard } from '../ssrf.js';
import { normalizeOptionalString } from '../strings.js';
import { getCachedLiveCatalogValue } from './catalog.js';
import { readProviderJsonResponse } from './http-errors.js';

/** Time for a list, in ms. */
const TIMEOUT = 5000;

/** The provider refused its list. */
export class LiveModelCatalogHttpError extends Error {
  /** @param {string} providerId @param {number} status */
  constructor(providerId, status) {
    super(`${providerId} model discovery failed: HTTP ${status}`);
    Object.assign(this, { name: 'LiveModelCatalogHttpError', status });
  }
}
const real = (key) => (normalizeOptionalString(key) && !isNonSecretApiKeyMarker(key) ? key.trim() : undefined);
const keyOf = ({ discoveryApiKey, apiKey }) => real(discoveryApiKey) ?? real(apiKey);
function headersOf(params) {
  const key = keyOf(params);
  const headers = new Headers(params.buildRequestHeaders?.({ apiKey: real(params.apiKey), discoveryApiKey: key }) ?? (key ? { Authorization: `Bearer ${key}` } : {}));
  if (!headers.has('accept')) headers.set('accept', 'application/json');
  return headers;
}
function rowsOf(body) {
  const rows = Array.isArray(body) ? body : body?.data;
  if (!Array.isArray(rows)) throw new Error('Live model catalog response must be an array or { data: [] }');
  return rows;
}
const idOf = (row) => (row && typeof row === 'object' && (row.object === undefined || row.object === 'model') && typeof row.id === 'string' ? row.id.trim() || undefined : undefined);

/** The rows of the list. @param {any} params `providerId`, `endpoint`, `apiKey`, `discoveryApiKey`, `timeoutMs`, `readRows`, `fetchGuard`, `policy` @returns {Promise<any[]>} */
export async function fetchLiveProviderModelRows(params) {
  const { providerId, endpoint, timeoutMs = TIMEOUT, signal, lookupFn, requireHttps } = params;
  const optional = { ...(lookupFn ? { lookupFn } : {}), ...(requireHttps === undefined ? {} : { requireHttps }) };
  const { response, release } = await (params.fetchGuard ?? fetchWithSsrFGuard)({ url: endpoint, init: { headers: headersOf(params) }, signal, timeoutMs, policy: params.policy ?? ssrfPolicyFromHttpBaseUrlAllowedHostname(endpoint), ...optional, auditContext: params.auditContext ?? `${providerId}-model-discovery` });
  try {
    if (!response.ok) throw new LiveModelCatalogHttpError(providerId, response.status);
    return (params.readRows ?? rowsOf)(await readProviderJsonResponse(response, `${providerId} model discovery`));
  } finally {
    await release();
  }
}
/** Their ids, each once. @param {any} params also `readModelId` @returns {Promise<string[]>} */
export const fetchLiveProviderModelIds = async (params) => [...new Set((await fetchLiveProviderModelRows(params)).map(params.readModelId ?? idOf).filter(Boolean))];
/** The rows, kept for a while. @param {any} params also `ttlMs`, `cacheKeyParts` @returns {Promise<any[]>} */
export const getCachedLiveProviderModelRows = (params) =>
  getCachedLiveCatalogValue({ keyParts: params.cacheKeyParts ?? [params.providerId, 'model-rows', params.endpoint, keyOf(params)], ttlMs: params.ttlMs, load: () => fetchLiveProviderModelRows(params) });
/** A provider with those of its models that the list has; with all of them when the list cannot be read. @param {any} params also `models`, `providerConfig` @returns {Promise<any>} */
export async function buildLiveModelProviderConfig(params) {
  const config = (models) => ({ ...params.providerConfig, ...(params.apiKey ? { apiKey: params.apiKey } : {}), models: [...models] });
  const load = () => fetchLiveProviderModelIds(params);
  const ids = await getCachedLiveCatalogValue({ keyParts: params.cacheKeyParts ?? [params.providerId, 'models', params.endpoint, keyOf(params)], ttlMs: params.ttlMs, load }).catch(() => []);
  const models = params.models.filter(({ id }) => ids.includes(id));
  return config(models.length > 0 ? models : params.models);
}
