// Adapter `toolFactory`: runs a factory (or takes the tool object the handle belongs to) and describes its tools.
import { peer, plugins, snapshot } from '../state.js';

const COPIED = ['name', 'label', 'description', 'parameters', 'ownerOnly', 'displaySummary', 'optional'];

/** Returns one row per tool; a row that cannot be used is `{malformed, name?}`. */
export function run(row, [ctx]) {
  const plugin = plugins.get(row.pluginId);
  const made = isToolOf(row) ? row.self : row.fn.call(row.self, withAccessors(ctx ?? {}, plugin));
  if (made && typeof made.then === 'function') {
    Promise.resolve(made).catch(() => {});
    throw new Error('a tool factory must be synchronous');
  }
  const tools = Array.isArray(made) ? made : made === null || made === undefined ? [] : [made];
  return tools.map(describe);
}

function isToolOf(row) {
  return Boolean(row.self) && !Array.isArray(row.self) && row.self.execute === row.fn;
}

function describe(tool) {
  if (!tool || typeof tool !== 'object') return { malformed: 'tool must be an object' };
  const name = typeof tool.name === 'string' ? tool.name.trim() : '';
  if (!name) return { malformed: 'missing non-empty name' };
  if (typeof tool.execute !== 'function') return { malformed: 'missing execute function', name };
  if (!tool.parameters || typeof tool.parameters !== 'object') return { malformed: 'missing parameters object', name };
  const out = {};
  for (const key of COPIED) if (tool[key] !== undefined) out[key] = tool[key];
  const { execute } = tool;
  out.execute = (...args) => execute.apply(tool, args);
  return out;
}

/** Adds to the context what cannot be sent as data. */
function withAccessors(ctx, plugin) {
  const pluginId = plugin?.id;
  ctx.config ??= snapshot.config;
  ctx.runtimeConfig ??= snapshot.config;
  ctx.getRuntimeConfig = () => snapshot.config;
  if (typeof ctx.hasAuthForProvider !== 'function') {
    ctx.hasAuthForProvider = (provider) => peer.requestSync('host.modelAuth.hasAuthForProvider', { pluginId, provider, agentId: ctx.agentId });
  }
  if (typeof ctx.resolveApiKeyForProvider !== 'function') {
    ctx.resolveApiKeyForProvider = async (provider) =>
      (await peer.request('host.modelAuth.resolve', { pluginId, provider, agentId: ctx.agentId }))?.apiKey;
  }
  return ctx;
}
