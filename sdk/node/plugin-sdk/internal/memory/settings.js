// Settings of memory search, of an agent over those of all.
import os from 'node:os';
import path from 'node:path';
import { resolveAgentConfig, resolveAgentContextLimits, resolveAgentWorkspaceDir } from '../agents.js';
import { resolveStateDir, resolveUserPath } from '../paths.js';
import { normalizeMemoryMultimodalSettings } from './multimodal.js';
import { readMemoryFile } from './read.js';

const within = (value, low, high) => Math.min(high, Math.max(low, value));
/** Reads `a.b.c` from the agent's settings, else from the common ones. */
function layers(cfg, agentId) {
  const list = [resolveAgentConfig(cfg, agentId)?.memorySearch, cfg.agents?.defaults?.memorySearch];
  const at = (settings, key) => key.split('.').reduce((value, name) => value?.[name], settings);
  return { list, get: (key, usual) => list.map((settings) => at(settings, key)).find((value) => value !== undefined && value !== null) ?? usual };
}

/** Only what runs on this machine alone has no settings of a service. */
function remoteOf({ list, get }) {
  const given = list.some((settings) => settings?.remote && (settings.remote.baseUrl || settings.remote.apiKey || settings.remote.headers || settings.remote.nonBatchConcurrency != null));
  if (!given && get('provider', 'auto') === 'local' && ['none', 'local'].includes(get('fallback', 'none'))) return undefined;
  const batch = {
    enabled: get('remote.batch.enabled', false), wait: get('remote.batch.wait', true), concurrency: Math.max(1, get('remote.batch.concurrency', 2)),
    pollIntervalMs: get('remote.batch.pollIntervalMs', 2000), timeoutMinutes: get('remote.batch.timeoutMinutes', 60),
  };
  return { baseUrl: get('remote.baseUrl'), apiKey: get('remote.apiKey'), headers: get('remote.headers'), nonBatchConcurrency: get('remote.nonBatchConcurrency'), batch };
}
function sourcesOf({ get }, sessionMemory) {
  const wanted = get('sources', ['memory']);
  const known = ['memory', 'sessions'].filter((source) => wanted.includes(source) && (source === 'memory' || sessionMemory));
  return known.length > 0 ? [...new Set(wanted.filter((source) => known.includes(source)))] : ['memory'];
}
function storePath(agentId, given) {
  if (!given) return path.join(resolveStateDir(process.env, os.homedir), 'memory', `${agentId}.sqlite`);
  return resolveUserPath(given.includes('{agentId}') ? given.replaceAll('{agentId}', agentId) : given);
}
const syncOf = ({ get }) => ({
  onSessionStart: get('sync.onSessionStart', true), onSearch: get('sync.onSearch', true), watch: get('sync.watch', true), watchDebounceMs: get('sync.watchDebounceMs', 1500),
  intervalMinutes: get('sync.intervalMinutes', 0), embeddingBatchTimeoutSeconds: get('sync.embeddingBatchTimeoutSeconds'),
  sessions: { deltaBytes: get('sync.sessions.deltaBytes', 100_000), deltaMessages: get('sync.sessions.deltaMessages', 50), postCompactionForce: get('sync.sessions.postCompactionForce', true) },
});
function queryOf({ get }) {
  const [vector, text] = [within(get('query.hybrid.vectorWeight', 0.7), 0, 1), within(get('query.hybrid.textWeight', 0.3), 0, 1)];
  const sum = vector + text;
  const finite = (value, usual) => (Number.isFinite(value) ? value : usual);
  return {
    maxResults: get('query.maxResults', 6), minScore: within(get('query.minScore', 0.35), 0, 1),
    hybrid: {
      enabled: get('query.hybrid.enabled', true), vectorWeight: sum > 0 ? vector / sum : 0.7, textWeight: sum > 0 ? text / sum : 0.3,
      candidateMultiplier: within(Math.floor(get('query.hybrid.candidateMultiplier', 4)), 1, 20),
      mmr: { enabled: get('query.hybrid.mmr.enabled', false), lambda: within(finite(get('query.hybrid.mmr.lambda', 0.7), 0.7), 0, 1) },
      temporalDecay: { enabled: get('query.hybrid.temporalDecay.enabled', false), halfLifeDays: Math.max(1, Math.floor(finite(get('query.hybrid.temporalDecay.halfLifeDays', 30), 30))) },
    },
  };
}
const wordOf = ({ list }, key) => list.map((settings) => settings?.[key]?.trim()).find(Boolean);
const count = (value) => within(Math.floor(value), 0, Number.MAX_SAFE_INTEGER);

/** All settings; `null` when memory search is off. @param {object} cfg @param {string} agentId */
export function resolveMemorySearchConfig(cfg, agentId) {
  const own = layers(cfg, agentId);
  const { get, list } = own;
  if (!get('enabled', true)) return null;
  const sessionMemory = get('experimental.sessionMemory', false);
  const multimodal = normalizeMemoryMultimodalSettings({ enabled: get('multimodal.enabled'), modalities: get('multimodal.modalities'), maxFileBytes: get('multimodal.maxFileBytes') });
  const fallback = get('fallback', 'none');
  if (multimodal.enabled && multimodal.modalities.length > 0 && fallback !== 'none') throw new Error('agents.*.memorySearch.multimodal does not support memorySearch.fallback. Set fallback to "none".');
  const [tokens, entries, sync] = [get('chunking.tokens', 400), get('cache.maxEntries'), syncOf(own)];
  return {
    enabled: true, sources: sourcesOf(own, sessionMemory),
    extraPaths: [...new Set([...list].reverse().flatMap((settings) => settings?.extraPaths ?? []).map((one) => one.trim()).filter(Boolean))],
    multimodal, provider: get('provider', 'auto'), remote: remoteOf(own), experimental: { sessionMemory }, fallback, model: get('model', ''),
    inputType: wordOf(own, 'inputType'), queryInputType: wordOf(own, 'queryInputType'), documentInputType: wordOf(own, 'documentInputType'), outputDimensionality: get('outputDimensionality'),
    local: { modelPath: get('local.modelPath'), modelCacheDir: get('local.modelCacheDir'), contextSize: get('local.contextSize') },
    store: { driver: get('store.driver', 'sqlite'), path: storePath(agentId, get('store.path')), fts: { tokenizer: get('store.fts.tokenizer', 'unicode61') }, vector: { enabled: get('store.vector.enabled', true), extensionPath: get('store.vector.extensionPath') } },
    chunking: { tokens: Math.max(1, tokens), overlap: within(get('chunking.overlap', 80), 0, Math.max(0, tokens - 1)) },
    sync: { ...sync, sessions: { ...sync.sessions, deltaBytes: count(sync.sessions.deltaBytes), deltaMessages: count(sync.sessions.deltaMessages) } },
    query: queryOf(own), cache: { enabled: get('cache.enabled', true), maxEntries: Number.isFinite(entries) ? Math.max(1, Math.floor(entries)) : undefined },
  };
}
/** When an index is brought up to date; `null` when memory search is off. @param {object} cfg @param {string} agentId */
export function resolveMemorySearchSyncConfig(cfg, agentId) {
  const own = layers(cfg, agentId);
  return own.get('enabled', true) ? syncOf(own) : null;
}

/** A file of an agent's memory. @param {{cfg: object, agentId: string, relPath: string, from?: number, lines?: number}} params @returns {Promise<any>} */
export async function readAgentMemoryFile({ cfg, agentId, relPath, from, lines }) {
  const settings = resolveMemorySearchConfig(cfg, agentId);
  if (!settings) throw new Error('memory search disabled');
  const limits = resolveAgentContextLimits(cfg, agentId);
  return readMemoryFile({ workspaceDir: resolveAgentWorkspaceDir(cfg, agentId), extraPaths: settings.extraPaths, relPath, from, lines, defaultLines: limits?.memoryGetDefaultLines, maxChars: limits?.memoryGetMaxChars });
}
