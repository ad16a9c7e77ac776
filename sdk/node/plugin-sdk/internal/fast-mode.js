// Fast mode: its setting and how it is told.
import { resolveAgentConfig } from './agents.js';
import { modelKey } from './provider/model-refs.js';
import { normalizeFastMode, normalizeOptionalLowercaseString } from './strings.js';

/** Seconds until the automatic mode switches to the fast model, when nothing is set. */
const AUTO_AFTER = 60;
const seconds = (value) => (Number.isInteger(value) && value > 0 ? value : undefined);
const wishOf = (raw) => (['auto', 'automatic'].includes(normalizeOptionalLowercaseString(raw)) ? 'auto' : normalizeFastMode(raw));
const autoLabel = (value) => `auto (${seconds(value) ?? AUTO_AFTER} sec)`;
const SOURCES = { session: ' (session)', agent: ' (default: agent)', config: ' (default: model)', default: ' (default)' };

/** @param {string} [source] @returns {string} */
export const formatFastModeSourceSuffix = (source) => SOURCES[source] ?? '';
/** @param {{mode: boolean | 'auto', fastAutoOnSeconds?: number}} params @returns {string} */
export const formatFastModeStatusValue = ({ mode, fastAutoOnSeconds }) => (mode === 'auto' ? autoLabel(fastAutoOnSeconds) : mode ? 'on' : 'off');
/** @param {{fastAutoOnSeconds?: number}} [params] @returns {string} */
export const formatFastModeCommandOptions = (params) => `on, off, ${autoLabel(params?.fastAutoOnSeconds)}, default, status`;
/** @param {{mode: boolean | 'auto', source?: string, label?: string, fastAutoOnSeconds?: number}} params @returns {string} */
export const formatFastModeCurrentStatus = ({ label = 'Current fast mode', source, ...state }) => `${label}: ${formatFastModeStatusValue(state)}${formatFastModeSourceSuffix(source)}.`;

const SECONDS = ['fastAutoOnSeconds', 'fast_auto_on_seconds', 'fastSeconds', 'fast_seconds'];
function paramsOf({ cfg, provider, model }) {
  const models = cfg?.agents?.defaults?.models ?? {};
  const providers = [provider, ...(normalizeOptionalLowercaseString(provider) === 'openai-codex' ? ['openai'] : [])];
  return providers.map((name) => models[modelKey(name ?? '', model ?? '')]?.params).find(Boolean);
}
/**
 * Whether fast mode is on, and which setting says so.
 * @param {{cfg?: object, provider: string, model: string, agentId?: string, sessionEntry?: object}} params
 * @returns {{mode: boolean | 'auto', enabled: boolean, source: 'session' | 'agent' | 'config' | 'default', fastAutoOnSeconds: number}}
 */
export function resolveFastModeState(params) {
  const { cfg, agentId, sessionEntry } = params;
  const set = paramsOf(params);
  const wishes = { session: sessionEntry?.fastMode, agent: agentId && cfg ? resolveAgentConfig(cfg, agentId)?.fastModeDefault : undefined, config: set?.fastMode ?? set?.fast_mode, default: false };
  const [source, mode] = Object.entries(wishes).map(([from, wish]) => [from, wishOf(wish)]).find(([, wish]) => wish !== undefined);
  return { mode, enabled: mode === 'auto' || mode, source, fastAutoOnSeconds: SECONDS.map((key) => seconds(set?.[key])).find((value) => value !== undefined) ?? AUTO_AFTER };
}
