// The active memory of the gateway, for plugins that are not the memory themselves.
import { peer, plugins } from '../../worker/state.js';

function worker() {
  if (!peer) throw Object.assign(new Error('the active memory is the gateway\'s; this function works only inside a plugin worker'), { code: 'NOT_BUILT' });
  return peer;
}
const pluginId = () => (plugins.size === 1 ? plugins.keys().next().value : undefined);
const ask = (method, params) => worker().request(method, { pluginId: pluginId(), ...params });
const askSync = (method, params) => worker().requestSync(method, { pluginId: pluginId(), ...params });

/** The search manager of the plugin in the memory slot: `{manager, error?}`. */
export async function getActiveMemorySearchManager({ agentId, purpose } = {}) {
  const about = { agentId, purpose };
  const { available, error } = await ask('host.memory.open', about);
  if (!available) return { manager: null, error };
  const call = (name, args) => ask('host.memory.manager', { ...about, name, args });
  const manager = {
    search: (query, { onDebug: _onDebug, signal: _signal, ...options } = {}) => ask('host.memory.search', { ...about, query, options }),
    readFile: (params) => ask('host.memory.readFile', { ...about, params }),
    status: () => askSync('host.memory.status', about),
    sync: ({ progress: _progress, ...params } = {}) => call('sync', [params]),
    probeEmbeddingAvailability: () => call('probeEmbeddingAvailability', []),
    probeVectorAvailability: () => call('probeVectorAvailability', []),
    getCachedEmbeddingAvailability: () => askSync('host.memory.manager', { ...about, name: 'getCachedEmbeddingAvailability', args: [] }),
    // The gateway opens the memory plugin's manager for each request, so nothing is held here.
    close: async () => {},
  };
  return { manager };
}

/** Closes what {@link getActiveMemorySearchManager} opened, which is nothing that lasts. */
export async function closeActiveMemorySearchManagers() {}
/** The same for one agent. */
export const closeActiveMemorySearchManager = closeActiveMemorySearchManagers;

/** Files of the active memory that other plugins may read. */
export const listActiveMemoryPublicArtifacts = () => ask('host.memory.publicArtifacts', {});

/** Corpora that plugins add beside the memory: `[{pluginId, supplement: {search, get}}]`. */
export function listMemoryCorpusSupplements() {
  return askSync('host.memory.corpora', {}).map((only) => ({
    pluginId: only,
    supplement: {
      search: async (params) => (await ask('host.memory.searchCorpora', { params, only })).results,
      get: (params) => ask('host.memory.readCorpora', { params, only }),
    },
  }));
}

const texts = (lines) => (Array.isArray(lines) ? lines.filter((line) => typeof line === 'string') : []);

/**
 * Lines that the active memory and its supplements put into the system prompt. Builders of this worker are called here: the
 * gateway could not call them while this function waits for it.
 */
export function buildActiveMemoryPromptSection({ availableTools, citationsMode } = {}) {
  const tools = new Set(availableTools ?? []);
  const params = { availableTools: tools, citationsMode };
  const { primary, supplements } = askSync('host.memory.promptLines', { availableTools: [...tools], citationsMode });
  const rows = new Map(supplements.map((row) => [row.pluginId, row.lines]));
  let first = primary ?? [];
  for (const [id, plugin] of plugins) {
    if (plugin.memoryPrompt) first = texts(plugin.memoryPrompt(params));
    if (plugin.memorySupplement) rows.set(id, texts(plugin.memorySupplement(params)));
  }
  const ordered = [...rows].sort(([a], [b]) => (a < b ? -1 : 1));
  return [...first, ...ordered.flatMap(([, lines]) => lines)];
}

/** The same lines as one text for a context engine's `systemPromptAddition`; nothing when there are none. */
export function buildMemorySystemPromptAddition(params) {
  const text = buildActiveMemoryPromptSection(params)
    .join('\n')
    .replace(/\r\n?/g, '\n')
    .split('\n')
    .map((line) => line.trimEnd())
    .join('\n')
    .trim();
  return text || undefined;
}

/** Compacts a session in the gateway's own way, for the `compact` of a context engine that has none of its own. */
export function delegateCompactionToRuntime({ sessionId, sessionKey, customInstructions, runtimeContext } = {}) {
  return ask('host.compaction.run', { sessionId, sessionKey: sessionKey ?? runtimeContext?.sessionKey, customInstructions });
}

function adapter({ pluginId: _owner, ...row }) {
  const embed = (model, outputDimensionality, list) =>
    ask('host.memory.embed', { provider: row.id, exact: true, model, dimensions: outputDimensionality, texts: list });
  return {
    ...row,
    create: async ({ model, outputDimensionality } = {}) => ({
      provider: {
        id: row.id,
        model: model || row.defaultModel || '',
        embedQuery: async (text) => (await embed(model, outputDimensionality, [text])).vectors[0],
        embedBatch: async (list) => (list.length ? (await embed(model, outputDimensionality, list)).vectors : []),
      },
    }),
  };
}

/** Embedding providers of all plugins, as adapters whose providers the gateway runs. */
export const listMemoryEmbeddingProviders = () => askSync('host.memory.embeddingProviders', {}).map(adapter);
/** The same with the plugin that owns each. */
export const listRegisteredMemoryEmbeddingProviders = () =>
  askSync('host.memory.embeddingProviders', {}).map((row) => ({ adapter: adapter(row), ownerPluginId: row.pluginId }));
/** One of them. */
export const getMemoryEmbeddingProvider = (id) => listMemoryEmbeddingProviders().find((found) => found.id === id);
