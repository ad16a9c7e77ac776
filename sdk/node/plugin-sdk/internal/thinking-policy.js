// Which levels of thinking a model has, and which one it starts with.
import { peer, plugins, snapshot } from '../../worker/state.js';
import { normalizeThinkingLevel } from './thinking.js';
import { normalizeOptionalString } from './strings.js';

/** Levels in the order of effort. */
const RANKS = { off: 0, minimal: 10, low: 20, medium: 30, high: 40, adaptive: 30, xhigh: 60, max: 70 };
const BASE = ['off', 'minimal', 'low', 'medium', 'high'];
/** Provider hooks that say something about levels. */
const HOOKS = ['resolveThinkingProfile', 'resolveDefaultThinkingLevel', 'isBinaryThinking', 'supportsXHighThinking'];

const level = (id, label = id, rank = RANKS[id]) => ({ id, label, rank });
const idOf = (provider) => normalizeOptionalString(provider)?.toLowerCase() ?? '';

/** The models that the config knows, as a catalogue. */
export function configuredCatalog(cfg = snapshot.config) {
  const providers = Object.entries(cfg?.models?.providers ?? {});
  return providers.flatMap(([provider, { models } = {}]) => (Array.isArray(models) ? models : []).map((model) => ({ provider, name: model?.id, ...model })));
}

/** A provider object that a plugin of this worker registered. */
function localProvider(provider) {
  const means = (row) => [row?.id, ...(row?.aliases ?? []), ...(row?.hookAliases ?? [])].some((id) => idOf(id) === provider);
  for (const plugin of plugins.values()) {
    const found = plugin.providers?.find(means);
    if (found) return found;
  }
  return undefined;
}

/** What the provider's hooks say: here where it is at home here, else by the host, which asks the plugin that has it. */
function opinions(provider, modelId, reasoning) {
  const row = localProvider(provider);
  const ctx = { provider, modelId };
  if (row) {
    const full = { ...ctx, reasoning };
    return {
      profile: row.resolveThinkingProfile?.(full) ?? undefined,
      defaultLevel: row.resolveDefaultThinkingLevel?.(full) ?? undefined,
      binary: row.isBinaryThinking?.(ctx) ?? undefined,
      xhigh: row.supportsXHighThinking?.({ provider, modelId: modelId.toLowerCase() }) ?? undefined,
    };
  }
  if (!peer) return {};
  const pluginId = plugins.keys().next().value;
  return peer.requestSync('host.agent.thinkingOpinions', { pluginId, provider, modelId, reasoning, hooks: HOOKS }) ?? {};
}

function fromProfile({ levels, defaultLevel }) {
  const byId = new Map();
  for (const raw of Array.isArray(levels) ? levels : []) {
    const id = normalizeThinkingLevel(raw?.id);
    if (id) byId.set(id, level(id, normalizeOptionalString(raw.label) ?? id, Number.isFinite(raw.rank) ? raw.rank : RANKS[id]));
  }
  const start = normalizeThinkingLevel(defaultLevel);
  return { levels: [...byId.values()].sort((a, b) => a.rank - b.rank), defaultLevel: byId.has(start) ? start : undefined };
}

/**
 * Levels with their ranks, and the one to start with if it is known.
 * @param {{provider?: string | null, model?: string | null, catalog?: object[]}} params
 */
export function resolveThinkingProfile({ provider, model, catalog }) {
  const name = idOf(provider);
  if (!name) return { levels: BASE.map((id) => level(id)), defaultLevel: undefined };
  const modelId = normalizeOptionalString(model) ?? '';
  const entry = catalog?.find((row) => idOf(row.provider) === name && row.id === modelId);
  const said = opinions(name, modelId, entry?.reasoning);
  if (said.profile) {
    const profile = fromProfile(said.profile);
    if (profile.levels.length > 0) return profile;
  }
  if (said.binary === true) return { levels: [level('off'), level('low', 'on')], defaultLevel: said.defaultLevel };
  const levels = BASE.map((id) => level(id));
  const efforts = entry?.compat?.supportedReasoningEfforts;
  const listed = Array.isArray(efforts) && efforts.some((effort) => normalizeThinkingLevel(effort) === 'xhigh');
  if (listed || said.xhigh === true) levels.push(level('xhigh'));
  return { levels, defaultLevel: said.defaultLevel };
}

/**
 * `api.runtime.agent.resolveThinkingPolicy`.
 * @param {{provider?: string | null, model?: string | null, catalog?: object[]}} [params]
 * @returns {{levels: {id: string, label: string}[], defaultLevel?: string}}
 */
export function resolveThinkingPolicy({ provider, model, catalog = configuredCatalog() } = {}) {
  const profile = resolveThinkingProfile({ provider, model, catalog });
  const policy = { levels: profile.levels.map(({ id, label }) => ({ id, label })) };
  if (profile.defaultLevel) policy.defaultLevel = profile.defaultLevel;
  return policy;
}

/** The nearest level that a model has. */
export function supportedThinkingLevel({ levels }, wanted) {
  if (levels.some(({ id }) => id === wanted)) return wanted;
  const down = levels.filter(({ id }) => id !== 'off').sort((a, b) => b.rank - a.rank);
  return (down.find(({ rank }) => rank <= RANKS[wanted]) ?? down[0])?.id ?? 'off';
}

/**
 * The level of a model when nobody chose one.
 * @param {{cfg: object, provider: string, model: string, catalog?: object[]}} params
 * @returns {string}
 */
export function resolveThinkingDefault({ cfg = {}, provider, model, catalog }) {
  const defaults = cfg.agents?.defaults;
  const key = model.toLowerCase().startsWith(`${idOf(provider)}/`) ? model : `${provider}/${model}`;
  const chosen = defaults?.models?.[key]?.params?.thinking;
  if (Object.hasOwn(RANKS, chosen ?? '')) return chosen;
  if (defaults?.thinkingDefault) return defaults.thinkingDefault;
  const profile = resolveThinkingProfile({ provider, model, catalog });
  if (profile.defaultLevel) return profile.defaultLevel;
  const entry = catalog?.find((row) => row.provider === provider && row.id === model);
  return entry?.reasoning ? supportedThinkingLevel(profile, 'medium') : 'off';
}

/**
 * As {@link resolveThinkingDefault}; the catalogue is asked for when the config says too little of the model.
 * @param {{cfg: object, provider: string, model: string, loadModelCatalog: () => Promise<object[]>}} params
 * @returns {Promise<string>}
 */
export async function resolveThinkingDefaultWithRuntimeCatalog({ cfg, provider, model, loadModelCatalog }) {
  const find = (catalog) => catalog?.find((row) => row.provider === provider && row.id === model);
  const configured = configuredCatalog(cfg);
  const known = find(configured);
  const asked = known?.reasoning === undefined ? await loadModelCatalog() : undefined;
  return resolveThinkingDefault({ cfg, provider, model, catalog: find(asked) || configured.length === 0 ? (asked ?? configured) : configured });
}
