// "Dreaming": what memory does with notes at night. Settings and their defaults.
import path from 'node:path';
import { resolveAgentWorkspaceDir, resolveDefaultAgentId } from '../agents.js';
import { asNullableRecord, normalizeLowercaseStringOrEmpty, normalizeOptionalLowercaseString, normalizeOptionalString, normalizeStringifiedOptionalString } from '../strings.js';

export const DEFAULT_MEMORY_DREAMING_ENABLED = false;
export const DEFAULT_MEMORY_DREAMING_TIMEZONE = undefined;
export const DEFAULT_MEMORY_DREAMING_VERBOSE_LOGGING = false;
export const DEFAULT_MEMORY_DREAMING_STORAGE_MODE = 'separate';
export const DEFAULT_MEMORY_DREAMING_SEPARATE_REPORTS = false;
export const DEFAULT_MEMORY_DREAMING_FREQUENCY = '0 3 * * *';
export const DEFAULT_MEMORY_DREAMING_PLUGIN_ID = 'memory-core';
export const DEFAULT_MEMORY_DREAMING_SPEED = 'balanced';
export const DEFAULT_MEMORY_DREAMING_THINKING = 'medium';
export const DEFAULT_MEMORY_DREAMING_BUDGET = 'medium';
export const DEFAULT_MEMORY_LIGHT_DREAMING_CRON_EXPR = '0 */6 * * *';
export const DEFAULT_MEMORY_LIGHT_DREAMING_LOOKBACK_DAYS = 2;
export const DEFAULT_MEMORY_LIGHT_DREAMING_LIMIT = 100;
export const DEFAULT_MEMORY_LIGHT_DREAMING_DEDUPE_SIMILARITY = 0.9;
export const DEFAULT_MEMORY_DEEP_DREAMING_CRON_EXPR = '0 3 * * *';
export const DEFAULT_MEMORY_DEEP_DREAMING_LIMIT = 10;
export const DEFAULT_MEMORY_DEEP_DREAMING_MIN_SCORE = 0.8;
export const DEFAULT_MEMORY_DEEP_DREAMING_MIN_RECALL_COUNT = 3;
export const DEFAULT_MEMORY_DEEP_DREAMING_MIN_UNIQUE_QUERIES = 3;
export const DEFAULT_MEMORY_DEEP_DREAMING_RECENCY_HALF_LIFE_DAYS = 14;
export const DEFAULT_MEMORY_DEEP_DREAMING_MAX_AGE_DAYS = 30;
export const DEFAULT_MEMORY_DEEP_DREAMING_MAX_PROMOTED_SNIPPET_TOKENS = 160;
export const DEFAULT_MEMORY_DEEP_DREAMING_RECOVERY_ENABLED = true;
export const DEFAULT_MEMORY_DEEP_DREAMING_RECOVERY_TRIGGER_BELOW_HEALTH = 0.35;
export const DEFAULT_MEMORY_DEEP_DREAMING_RECOVERY_LOOKBACK_DAYS = 30;
export const DEFAULT_MEMORY_DEEP_DREAMING_RECOVERY_MAX_CANDIDATES = 20;
export const DEFAULT_MEMORY_DEEP_DREAMING_RECOVERY_MIN_CONFIDENCE = 0.9;
export const DEFAULT_MEMORY_DEEP_DREAMING_RECOVERY_AUTO_WRITE_MIN_CONFIDENCE = 0.97;
export const DEFAULT_MEMORY_REM_DREAMING_CRON_EXPR = '0 5 * * 0';
export const DEFAULT_MEMORY_REM_DREAMING_LOOKBACK_DAYS = 7;
export const DEFAULT_MEMORY_REM_DREAMING_LIMIT = 10;
export const DEFAULT_MEMORY_REM_DREAMING_MIN_PATTERN_STRENGTH = 0.75;
export const MANAGED_MEMORY_DREAMING_CRON_NAME = 'Memory Dreaming Promotion';
export const MANAGED_MEMORY_DREAMING_CRON_TAG = '[managed-by=memory-core.short-term-promotion]';
export const MEMORY_DREAMING_SYSTEM_EVENT_TEXT = '__openclaw_memory_core_short_term_promotion_dream__';
export const LEGACY_MEMORY_LIGHT_DREAMING_CRON_NAME = 'Memory Light Dreaming';
export const LEGACY_MEMORY_LIGHT_DREAMING_CRON_TAG = '[managed-by=memory-core.dreaming.light]';
export const LEGACY_MEMORY_LIGHT_DREAMING_EVENT_TEXT = '__openclaw_memory_core_light_sleep__';
export const LEGACY_MEMORY_REM_DREAMING_CRON_NAME = 'Memory REM Dreaming';
export const LEGACY_MEMORY_REM_DREAMING_CRON_TAG = '[managed-by=memory-core.dreaming.rem]';
export const LEGACY_MEMORY_REM_DREAMING_EVENT_TEXT = '__openclaw_memory_core_rem_sleep__';

/** A number, or text that is one; `NaN` for blank text. */
const number = (value) => (typeof value === 'string' && !normalizeStringifiedOptionalString(value) ? NaN : Number(typeof value === 'string' ? value.trim() : value));
const count = (value, fallback) => {
  const whole = Math.floor(number(value));
  return Number.isFinite(whole) && whole >= 0 ? whole : fallback;
};
const positive = (value) => (value == null ? undefined : count(value, 0) || undefined);
const score = (value, fallback) => {
  const found = number(value);
  return found >= 0 && found <= 1 ? found : fallback;
};
const word = (value, ...words) => words.find((one) => one === normalizeOptionalLowercaseString(value));
const flag = (value, fallback) => (typeof value === 'boolean' ? value : { true: true, false: false }[normalizeLowercaseStringOrEmpty(typeof value === 'string' ? value : '')] ?? fallback);
function sources(value, allowed, fallback = allowed) {
  const found = Array.isArray(value) ? [...new Set(value.map(normalizeOptionalLowercaseString))].filter((name) => allowed.includes(name)) : [];
  return found.length > 0 ? found : [...fallback];
}

function execution(value, fallback) {
  const raw = asNullableRecord(value);
  const temperature = typeof raw?.temperature === 'number' && Number.isFinite(raw.temperature) && raw.temperature >= 0 ? Math.min(2, raw.temperature) : undefined;
  const more = { model: normalizeOptionalString(raw?.model) ?? fallback.model, maxOutputTokens: positive(raw?.maxOutputTokens), temperature, timeoutMs: positive(raw?.timeoutMs) };
  return {
    speed: word(raw?.speed, 'fast', 'balanced', 'slow') ?? fallback.speed,
    thinking: word(raw?.thinking, 'low', 'medium', 'high') ?? fallback.thinking,
    budget: word(raw?.budget, 'cheap', 'medium', 'expensive') ?? fallback.budget,
    ...Object.fromEntries(Object.entries(more).filter(([, own]) => own !== undefined)),
  };
}

function phasesOf(raw, cron, base) {
  const [light, deep, rem] = ['light', 'deep', 'rem'].map((name) => asNullableRecord(raw?.[name]));
  const recovery = asNullableRecord(deep?.recovery);
  return {
    light: {
      enabled: flag(light?.enabled, true), cron, lookbackDays: count(light?.lookbackDays, 2), limit: count(light?.limit, 100), dedupeSimilarity: score(light?.dedupeSimilarity, 0.9),
      sources: sources(light?.sources, ['daily', 'sessions', 'recall']), execution: execution(light?.execution, { ...base, speed: 'fast', thinking: 'low', budget: 'cheap' }),
    },
    deep: {
      enabled: flag(deep?.enabled, true), cron, limit: count(deep?.limit, 10), minScore: score(deep?.minScore, 0.8), minRecallCount: count(deep?.minRecallCount, 3),
      minUniqueQueries: count(deep?.minUniqueQueries, 3), recencyHalfLifeDays: count(deep?.recencyHalfLifeDays, 14), maxAgeDays: positive(deep?.maxAgeDays) ?? 30,
      sources: sources(deep?.sources, ['daily', 'memory', 'sessions', 'logs', 'recall']),
      recovery: {
        enabled: flag(recovery?.enabled, true), triggerBelowHealth: score(recovery?.triggerBelowHealth, 0.35), lookbackDays: count(recovery?.lookbackDays, 30),
        maxRecoveredCandidates: count(recovery?.maxRecoveredCandidates, 20), minRecoveryConfidence: score(recovery?.minRecoveryConfidence, 0.9), autoWriteMinConfidence: score(recovery?.autoWriteMinConfidence, 0.97),
      },
      execution: execution(deep?.execution, { ...base, speed: 'balanced', thinking: 'high', budget: 'medium' }),
    },
    rem: {
      enabled: flag(rem?.enabled, true), cron, lookbackDays: count(rem?.lookbackDays, 7), limit: count(rem?.limit, 10), minPatternStrength: score(rem?.minPatternStrength, 0.75),
      sources: sources(rem?.sources, ['memory', 'daily', 'deep']), execution: execution(rem?.execution, { ...base, speed: 'slow', thinking: 'high', budget: 'expensive' }),
    },
  };
}

/** All settings with their defaults. @param {{ pluginConfig?: object, cfg?: object }} params @returns {object} */
export function resolveMemoryDreamingConfig({ pluginConfig, cfg }) {
  const raw = asNullableRecord(pluginConfig?.dreaming);
  const storage = asNullableRecord(raw?.storage);
  const frequency = normalizeOptionalString(raw?.frequency) ?? DEFAULT_MEMORY_DREAMING_FREQUENCY;
  const timezone = normalizeOptionalString(raw?.timezone) ?? normalizeOptionalString(cfg?.agents?.defaults?.userTimezone);
  const model = normalizeOptionalString(raw?.model);
  const defaults = execution(asNullableRecord(raw?.execution)?.defaults, { speed: 'balanced', thinking: 'medium', budget: 'medium', ...(model ? { model } : {}) });
  return {
    enabled: flag(raw?.enabled, false), frequency, ...(timezone ? { timezone } : {}), verboseLogging: flag(raw?.verboseLogging, false),
    storage: { mode: word(storage?.mode, 'inline', 'separate', 'both') ?? 'separate', separateReports: flag(storage?.separateReports, false) },
    execution: { defaults },
    phases: phasesOf(asNullableRecord(raw?.phases), frequency, defaults),
  };
}

function phase(name, params) {
  const { enabled, phases, timezone, verboseLogging, storage } = resolveMemoryDreamingConfig(params);
  return { ...phases[name], enabled: enabled && phases[name].enabled, ...(timezone ? { timezone } : {}), verboseLogging, storage };
}
/** The settings of one phase. @param {object} params */
export const resolveMemoryLightDreamingConfig = (params) => phase('light', params);
export const resolveMemoryDeepDreamingConfig = (params) => phase('deep', params);
export const resolveMemoryRemDreamingConfig = (params) => phase('rem', params);

/** The plugin whose settings hold. @param {object} [cfg] @returns {string} */
export function resolveMemoryDreamingPluginId(cfg) {
  const slot = normalizeOptionalString(asNullableRecord(asNullableRecord(cfg?.plugins)?.slots)?.memory);
  return slot && slot.toLowerCase() !== 'none' ? slot : DEFAULT_MEMORY_DREAMING_PLUGIN_ID;
}
/** Its settings. @param {object} [cfg] @returns {object | undefined} */
export const resolveMemoryDreamingPluginConfig = (cfg) => asNullableRecord(asNullableRecord(asNullableRecord(asNullableRecord(cfg?.plugins)?.entries)?.[resolveMemoryDreamingPluginId(cfg)])?.config) ?? undefined;
export const resolveMemoryCorePluginConfig = resolveMemoryDreamingPluginConfig;

/** The workspaces of all agents and who uses them. @param {object} cfg @param {{ primaryWorkspaceDir?: string, primaryAgentId?: string }} [options] @returns {{ workspaceDir: string, agentIds: string[] }[]} */
export function resolveMemoryDreamingWorkspaces(cfg, { primaryWorkspaceDir, primaryAgentId } = {}) {
  const named = (Array.isArray(cfg.agents?.list) ? cfg.agents.list : []).map((entry) => normalizeOptionalLowercaseString(entry?.id)).filter(Boolean);
  const ids = named.length > 0 ? [...new Set(named)] : [resolveDefaultAgentId(cfg)];
  const rows = new Map();
  const add = (raw, agentId) => {
    const workspaceDir = raw?.trim();
    if (!workspaceDir) return;
    const row = rows.get(path.resolve(workspaceDir)) ?? { workspaceDir, agentIds: [] };
    if (!row.agentIds.includes(agentId)) row.agentIds.push(agentId);
    rows.set(path.resolve(workspaceDir), row);
  };
  for (const id of ids) add(resolveAgentWorkspaceDir(cfg, id), id);
  add(primaryWorkspaceDir, normalizeOptionalLowercaseString(primaryAgentId) ?? resolveDefaultAgentId(cfg));
  return [...rows.values()];
}

/** The day of a time in a zone. @param {number} epochMs @param {string} [timezone] @returns {string} */
export function formatMemoryDreamingDay(epochMs, timezone) {
  const date = new Date(epochMs);
  try {
    if (timezone) return new Intl.DateTimeFormat('en-CA', { timeZone: timezone, year: 'numeric', month: '2-digit', day: '2-digit' }).format(date);
  } catch {
    // An unknown zone: the local one.
  }
  return `${date.getFullYear()}-${String(date.getMonth() + 1).padStart(2, '0')}-${String(date.getDate()).padStart(2, '0')}`;
}
/** Whether two times are on one day. @param {number} first @param {number} second @param {string} [timezone] @returns {boolean} */
export const isSameMemoryDreamingDay = (first, second, timezone) => formatMemoryDreamingDay(first, timezone) === formatMemoryDreamingDay(second, timezone);

const shown = (on, off, ready) => (on ? ready : off);
/** How the cache is shown. @param {{ enabled: boolean, entries?: number }} cache */
export const resolveMemoryCacheSummary = ({ enabled, entries }) =>
  shown(enabled, { tone: 'muted', text: 'cache off' }, { tone: 'ok', text: `cache on${typeof entries === 'number' ? ` (${entries})` : ''}` });
/** How full-text search is shown. @param {{ enabled: boolean, available?: boolean }} fts */
export const resolveMemoryFtsState = ({ enabled, available }) =>
  shown(enabled, { tone: 'muted', state: 'disabled' }, available ? { tone: 'ok', state: 'ready' } : { tone: 'warn', state: 'unavailable' });
/** How vector search is shown. @param {{ enabled: boolean, available?: boolean }} vector */
export const resolveMemoryVectorState = ({ enabled, available }) =>
  shown(enabled, { tone: 'muted', state: 'disabled' }, { true: { tone: 'ok', state: 'ready' }, false: { tone: 'warn', state: 'unavailable' } }[available] ?? { tone: 'muted', state: 'unknown' });
