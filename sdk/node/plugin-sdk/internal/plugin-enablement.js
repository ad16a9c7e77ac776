// Whether the configuration lets a plugin run.
import { knownChatChannelId } from './chat-meta.js';
import { isRecord, normalizeOptionalLowercaseString, normalizeOptionalString } from './strings.js';

/** The longest time that a hook may be given, in ms. */
const LONGEST_HOOK = 600_000;

const ids = (value) => (Array.isArray(value) ? value.map((id) => (typeof id === 'string' ? id.trim() : '')).filter(Boolean) : []);
function slot(value) {
  const id = normalizeOptionalString(value);
  return normalizeOptionalLowercaseString(id) === 'none' ? null : id;
}
const time = (value) => (Number.isInteger(value) && value > 0 && value <= LONGEST_HOOK ? value : undefined);
const flag = (value) => (typeof value === 'boolean' ? value : undefined);
const filled = (members) => {
  const present = Object.entries(members).filter(([, value]) => value !== undefined);
  return present.length > 0 ? Object.fromEntries(present) : undefined;
};
const hooksOf = (raw) => isRecord(raw) && filled({
  allowPromptInjection: flag(raw.allowPromptInjection), allowConversationAccess: flag(raw.allowConversationAccess), timeoutMs: time(raw.timeoutMs),
  timeouts: isRecord(raw.timeouts) ? filled(Object.fromEntries(Object.entries(raw.timeouts).map(([hook, ms]) => [hook, time(ms)]))) : undefined,
});
function modelsOf({ allowedModels }) {
  if (!Array.isArray(allowedModels)) return {};
  const names = allowedModels.map(normalizeOptionalString).filter(Boolean);
  return { hasAllowedModelsConfig: true, allowedModels: names.length > 0 ? names : undefined };
}
const subagentOf = (raw) => isRecord(raw) && filled({ allowModelOverride: flag(raw.allowModelOverride), ...modelsOf(raw) });
const llmOf = (raw) => isRecord(raw) && filled({ allowModelOverride: flag(raw.allowModelOverride), ...modelsOf(raw), allowAgentIdOverride: flag(raw.allowAgentIdOverride) });

function entriesOf(entries) {
  const out = {};
  for (const [key, entry] of isRecord(entries) ? Object.entries(entries) : []) {
    const id = key.trim();
    if (!id) continue;
    const before = out[id];
    out[id] = isRecord(entry)
      ? { ...before, enabled: flag(entry.enabled) ?? before?.enabled, hooks: hooksOf(entry.hooks) || before?.hooks, subagent: subagentOf(entry.subagent) || before?.subagent, llm: llmOf(entry.llm) || before?.llm, config: 'config' in entry ? entry.config : before?.config }
      : {};
  }
  return out;
}

/** `plugins` of the configuration with everything in its place. @param {object} [config] */
export function normalizePluginsConfig(config) {
  const memory = slot(config?.slots?.memory);
  return {
    enabled: config?.enabled !== false, allow: ids(config?.allow), deny: ids(config?.deny), loadPaths: ids(config?.load?.paths),
    slots: { memory: memory === undefined ? 'memory-core' : memory, contextEngine: slot(config?.slots?.contextEngine) }, entries: entriesOf(config?.entries),
  };
}

/**
 * Whether a plugin runs, and why not.
 * @param {{id: string, origin: string, config: ReturnType<typeof normalizePluginsConfig>, rootConfig?: object, enabledByDefault?: boolean}} params
 * @returns {{enabled: boolean, reason?: string}}
 */
export function resolveEffectiveEnableState({ id, origin, config, rootConfig, enabledByDefault }) {
  const on = { enabled: true };
  const off = (reason) => ({ enabled: false, reason });
  const bundled = origin === 'bundled';
  const set = config.entries[id]?.enabled;
  const allowed = config.allow.includes(id);
  if (!config.enabled) return off('plugins disabled');
  if (config.deny.includes(id)) return off('blocked by denylist');
  if (set === false) return off('disabled in config');
  if (origin === 'workspace' && !allowed && set !== true && (config.slots.contextEngine !== id || config.slots.memory === id)) return off('workspace plugin (disabled by default)');
  if (config.slots.memory === id || config.slots.contextEngine === id) return on;
  const channel = bundled && knownChatChannelId(id) !== undefined && rootConfig?.channels?.[id]?.enabled === true;
  if (channel && set !== true) return on;
  if (config.allow.length > 0 && !allowed) return off('not in allowlist');
  return set === true || !bundled || enabledByDefault === true || channel ? on : off('bundled (disabled by default)');
}
