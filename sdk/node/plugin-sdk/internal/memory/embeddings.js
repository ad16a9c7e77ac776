// Vectors of texts from services: single requests and batches.
import { runTasksWithConcurrency } from '../async-tools.js';
import { requireApiKey, resolveApiKeyForProvider } from '../auth/resolve.js';
import { formatErrorMessage } from '../error-text.js';
import { resolveProviderRequestPolicy } from '../provider/endpoints.js';
import { retryAsync } from '../retry.js';
import { coerceSecretRef, hasConfiguredSecretInput, normalizeResolvedSecretInputString } from '../secrets.js';
import { ssrfPolicyFromHttpBaseUrlAllowedHostname } from '../ssrf-policy.js';
import { fetchWithSsrFGuard } from '../ssrf.js';
import { normalizeLowercaseStringOrEmpty, normalizeOptionalString } from '../strings.js';
import { hashText } from './chunks.js';

export const EMBEDDING_BATCH_ENDPOINT = '/v1/embeddings';
export const DEFAULT_LOCAL_MODEL = 'hf:ggml-org/embeddinggemma-300m-qat-q8_0-GGUF/embeddinggemma-300m-qat-Q8_0.gguf';
export const buildRemoteBaseUrlPolicy = ssrfPolicyFromHttpBaseUrlAllowedHostname;
const TERMINAL = new Set(['failed', 'expired', 'cancelled', 'canceled']);

export const hasConfiguredMemorySecretInput = (/** @type {unknown} */ value) => hasConfiguredSecretInput(value);
/** The text of a credential; one of the environment is read. @param {{ value: unknown, path: string }} params @returns {string | undefined} */
export function resolveMemorySecretInputString({ value, path }) {
  const ref = coerceSecretRef(value);
  const own = ref?.source === 'env' ? normalizeOptionalString(process.env[ref.id]) : undefined;
  return own ?? normalizeResolvedSecretInputString({ value, path });
}

/** Sends a request and hands the response over. @param {object} params */
export async function withRemoteHttpResponse({ url, init, ssrfPolicy, fetchImpl, auditContext = 'memory-remote', onResponse, fetchWithSsrFGuardImpl = fetchWithSsrFGuard }) {
  const { response, release } = await fetchWithSsrFGuardImpl({ url, init, fetchImpl, policy: ssrfPolicy, auditContext });
  try {
    return await onResponse(response);
  } finally {
    await release();
  }
}
const failed = async (response, prefix) => Object.assign(new Error(`${prefix}: ${response.status} ${await response.text()}`), { status: response.status });
const postJson = ({ url, headers, body, ssrfPolicy, fetchImpl, errorPrefix }) =>
  withRemoteHttpResponse({
    url, ssrfPolicy, fetchImpl, init: { method: 'POST', headers, body: JSON.stringify(body) },
    async onResponse(response) {
      if (!response.ok) throw await failed(response, errorPrefix);
      return response.json();
    },
  });
/** The same, and again while the service is busy. @param {object} params */
export const postJsonWithRetry = ({ retryImpl = retryAsync, ...params }) =>
  retryImpl(() => postJson(params), { attempts: 3, minDelayMs: 300, maxDelayMs: 2000, jitter: 0.2, shouldRetry: ({ status }) => status === 429 || status >= 500 });

/** The vectors of texts. @param {object} params @returns {Promise<number[][]>} */
export const fetchRemoteEmbeddingVectors = async (params) => ((await postJson(params)).data ?? []).map((entry) => entry.embedding ?? []);

/** A provider of vectors. @param {{ id: string, client: object, errorPrefix: string, maxInputTokens?: number }} params */
export function createRemoteEmbeddingProvider({ id, client, errorPrefix, maxInputTokens }) {
  const { headers, ssrfPolicy, fetchImpl, model } = client;
  const url = `${client.baseUrl.replace(/\/$/, '')}/embeddings`;
  const embedBatch = async (input) => (input.length === 0 ? [] : fetchRemoteEmbeddingVectors({ url, headers, ssrfPolicy, fetchImpl, body: { model, input }, errorPrefix }));
  return { id, model, ...(typeof maxInputTokens === 'number' ? { maxInputTokens } : {}), embedBatch, embedQuery: async (text) => (await embedBatch([text]))[0] ?? [] };
}

/** Address and headers of a service with a key. @param {{ provider: string, options: object, defaultBaseUrl: string }} params */
export async function resolveRemoteEmbeddingBearerClient({ provider, options, defaultBaseUrl }) {
  const { remote, config } = options;
  const own = config.models?.providers?.[provider];
  const given = resolveMemorySecretInputString({ value: remote?.apiKey, path: 'agents.*.memorySearch.remote.apiKey' });
  const apiKey = given ?? requireApiKey(await resolveApiKeyForProvider({ provider, cfg: config }), provider);
  const baseUrl = normalizeOptionalString(remote?.baseUrl) ?? normalizeOptionalString(own?.baseUrl) ?? defaultBaseUrl;
  const attribution = provider === 'openai' ? resolveProviderRequestPolicy({ provider, baseUrl }).attributionHeaders : undefined;
  const headers = { 'Content-Type': 'application/json', Authorization: `Bearer ${apiKey}`, ...own?.headers, ...remote?.headers, ...attribution };
  return { baseUrl, headers, ssrfPolicy: buildRemoteBaseUrlPolicy(baseUrl) };
}
/** The same with the model. @param {object} params */
export const resolveRemoteEmbeddingClient = async ({ normalizeModel, ...params }) => ({ ...(await resolveRemoteEmbeddingBearerClient(params)), model: normalizeModel(params.options.model) });

/** A model's name without a prefix. @param {{ model: string, defaultModel: string, prefixes: string[] }} params @returns {string} */
export function normalizeEmbeddingModelWithPrefixes({ model, defaultModel, prefixes }) {
  const name = model.trim();
  const prefix = prefixes.find((one) => name.startsWith(one));
  return name ? name.slice(prefix?.length ?? 0) : defaultModel;
}
/** Headers that tell caches apart, in order, without secret ones. @param {Record<string, string>} headers @param {string[]} excluded @returns {[string, string][]} */
export function sanitizeEmbeddingCacheHeaders(headers, excluded) {
  const without = new Set(excluded.map(normalizeLowercaseStringOrEmpty));
  return Object.entries(headers).filter(([name]) => !without.has(normalizeLowercaseStringOrEmpty(name))).sort(([a], [b]) => a.localeCompare(b));
}
/** Whether an error says that no key is there. @param {unknown} error @returns {boolean} */
export const isMissingEmbeddingApiKeyError = (error) => error instanceof Error && error.message.includes('No API key found for provider');
/** Writes to standard error when `OPENCLAW_DEBUG_MEMORY_EMBEDDINGS` is on. @param {string} message @param {object} [meta] */
export function debugEmbeddingsLog(message, meta) {
  const on = ['1', 'on', 'true', 'yes'].includes(normalizeLowercaseStringOrEmpty(process.env.OPENCLAW_DEBUG_MEMORY_EMBEDDINGS));
  if (on) process.stderr.write(`${message}${meta ? ` ${JSON.stringify(meta)}` : ''}\n`);
}

/** The base address of a batch. @param {{ baseUrl?: string }} client @returns {string} */
export const normalizeBatchBaseUrl = ({ baseUrl }) => baseUrl?.replace(/\/$/, '') ?? '';
/** Its headers, with or without a kind. @param {{ headers?: Record<string, string> }} client @param {{ json: boolean }} params @returns {Record<string, string>} */
export function buildBatchHeaders({ headers }, { json }) {
  const typed = (name) => ['Content-Type', 'content-type'].includes(name);
  if (json) return { ...headers, ...(headers?.['Content-Type'] || headers?.['content-type'] ? {} : { 'Content-Type': 'application/json' }) };
  return Object.fromEntries(Object.entries(headers ?? {}).filter(([name]) => !typed(name)));
}
/** The options of all groups. @param {object} params @param {{ maxRequests: number, debugLabel: string }} options */
export const buildEmbeddingBatchGroupOptions = ({ requests, wait, pollIntervalMs, timeoutMs, concurrency, debug }, { maxRequests, debugLabel }) =>
  ({ requests, maxRequests, wait, pollIntervalMs, timeoutMs, concurrency, debug, debugLabel });

/** Runs tasks, so many at once, until one fails. @param {(() => Promise<any>)[]} tasks @param {number} limit @returns {Promise<any[]>} */
export async function runWithConcurrency(tasks, limit) {
  const { results, firstError, hasError } = await runTasksWithConcurrency({ tasks, limit, errorMode: 'stop' });
  if (hasError) throw firstError;
  return results;
}
/** Runs a batch in groups; the vectors by the ids of the requests. @param {object} params @returns {Promise<Map<string, number[]>>} */
export async function runEmbeddingBatchGroups({ requests, maxRequests, runGroup, debug, debugLabel, ...settings }) {
  const byCustomId = new Map();
  if (requests.length === 0) return byCustomId;
  const groups = Array.from({ length: Math.ceil(requests.length / maxRequests) }, (_, index) => requests.slice(index * maxRequests, (index + 1) * maxRequests));
  const { wait, concurrency, pollIntervalMs, timeoutMs } = settings;
  debug?.(debugLabel, { requests: requests.length, groups: groups.length, wait, concurrency, pollIntervalMs, timeoutMs });
  await runWithConcurrency(groups.map((group, groupIndex) => () => runGroup({ group, groupIndex, groups: groups.length, byCustomId })), concurrency);
  return byCustomId;
}
/** Takes one line of a batch's result. @param {{ line: object, remaining: Set<string>, errors: string[], byCustomId: Map<string, number[]> }} params */
export function applyEmbeddingBatchOutputLine({ line, remaining, errors, byCustomId }) {
  const { custom_id: id, error, response } = line;
  if (!id) return;
  remaining.delete(id);
  const body = response?.body;
  const told = (response?.status_code ?? 0) >= 400 ? (typeof body === 'string' ? body : body?.error?.message) ?? 'unknown error' : undefined;
  const vector = (body && typeof body === 'object' ? body.data ?? [] : [])[0]?.embedding ?? [];
  const problem = error?.message || told || (vector.length === 0 ? 'empty embedding' : undefined);
  if (problem) errors.push(`${id}: ${problem}`);
  else byCustomId.set(id, vector);
}
/** The vectors of requests whose ids are their numbers. @param {Map<string, number[]>} byCustomId @param {number} count @returns {number[][]} */
export const mapBatchEmbeddingsByIndex = (byCustomId, count) => Array.from({ length: count }, (_, index) => byCustomId.get(String(index)) ?? []);

const bodyMessage = (line) => {
  const body = line?.response?.body;
  if (typeof body === 'string') return body || undefined;
  return typeof body?.error?.message === 'string' ? body.error.message : undefined;
};
/** The first error of a batch. @param {object[]} lines @returns {string | undefined} */
export function extractBatchErrorMessage(lines) {
  const first = lines.find((line) => line.error?.message || bodyMessage(line));
  return first?.error?.message ?? bodyMessage(first);
}
/** What is said when the errors cannot be read. @param {unknown} error @returns {string | undefined} */
export const formatUnavailableBatchError = (error) => (formatErrorMessage(error) ? `error file unavailable: ${formatErrorMessage(error)}` : undefined);

/** The files of a batch that is done; without a result they are an error. @param {{ provider: string, batchId: string, status: object }} params @returns {{ outputFileId: string, errorFileId?: string }} */
export function resolveBatchCompletionFromStatus({ provider, batchId, status }) {
  if (!status.output_file_id) throw new Error(`${provider} batch ${batchId} completed without output file`);
  return { outputFileId: status.output_file_id, errorFileId: status.error_file_id ?? undefined };
}
/** The same after waiting, if that is wanted. @param {{ provider: string, status: object, wait: boolean, waitForBatch: () => Promise<object> }} params */
export async function resolveCompletedBatchResult({ provider, status, wait, waitForBatch }) {
  const batchId = status.id ?? '<unknown>';
  if (!wait && status.status !== 'completed') throw new Error(`${provider} batch ${batchId} submitted; enable remote.batch.wait to await completion`);
  const done = status.status === 'completed' ? resolveBatchCompletionFromStatus({ provider, batchId, status }) : await waitForBatch();
  if (!done.outputFileId) throw new Error(`${provider} batch ${batchId} completed without output file`);
  return done;
}
/** Fails for a batch that will not be done. @param {{ provider: string, status: object, readError: (fileId: string) => Promise<string | undefined> }} params @returns {Promise<void>} */
export async function throwIfBatchTerminalFailure({ provider, status, readError }) {
  const state = status.status ?? 'unknown';
  if (!TERMINAL.has(state)) return;
  const detail = status.error_file_id ? await readError(status.error_file_id) : undefined;
  throw new Error(`${provider} batch ${status.id ?? '<unknown>'} ${state}${detail ? `: ${detail}` : ''}`);
}
/** Uploads the requests of a batch; the id of the file. @param {{ client: object, requests: object[], errorPrefix: string }} params @returns {Promise<string>} */
export async function uploadBatchJsonlFile({ client, requests, errorPrefix }) {
  const form = new FormData();
  form.append('purpose', 'batch');
  form.append('file', new Blob([requests.map((request) => JSON.stringify(request)).join('\n')], { type: 'application/jsonl' }), `memory-embeddings.${hashText(String(Date.now()))}.jsonl`);
  const payload = await withRemoteHttpResponse({
    url: `${normalizeBatchBaseUrl(client)}/files`, ssrfPolicy: client.ssrfPolicy, init: { method: 'POST', headers: buildBatchHeaders(client, { json: false }), body: form },
    async onResponse(response) {
      if (!response.ok) throw await failed(response, errorPrefix);
      return response.json();
    },
  });
  if (!payload.id) throw new Error(`${errorPrefix}: missing file id`);
  return payload.id;
}
