// Agents as configuration describes them.
import fs from 'node:fs';
import path from 'node:path';
import { normalizeAgentId } from './accounts.js';
import { resolveStateDir, resolveUserPath } from './paths.js';
import { parseAgentSessionKey, resolveAgentIdFromSessionKey } from './session-keys.js';
import { normalizeOptionalString, normalizeStringEntries, readStringValue } from './strings.js';

const object = (value) => (typeof value === 'object' && value ? value : undefined);
const withoutNull = (file) => file.replaceAll('\0', '');

/** The entries of `agents.list`. @param {object} cfg @returns {object[]} */
export const listAgentEntries = (cfg) => (Array.isArray(cfg.agents?.list) ? cfg.agents.list.filter((entry) => object(entry)) : []);
const entryOf = (cfg, agentId) => listAgentEntries(cfg).find((entry) => normalizeAgentId(entry.id) === normalizeAgentId(agentId));

/** The ids of all agents; `main` when none is configured. @param {object} cfg @returns {string[]} */
export function listAgentIds(cfg) {
  const ids = [...new Set(listAgentEntries(cfg).map((entry) => normalizeAgentId(entry.id)))];
  return ids.length > 0 ? ids : ['main'];
}

/** The agent for messages that name none: the first marked one, else the first. @param {object} cfg @returns {string} */
export function resolveDefaultAgentId(cfg) {
  const entries = listAgentEntries(cfg);
  return normalizeAgentId((entries.find((entry) => entry.default) ?? entries[0])?.id?.trim());
}

const COPIED = ['thinkingDefault', 'fastModeDefault', 'memorySearch', 'humanDelay', 'tts', 'heartbeat', 'identity', 'groupChat', 'sandbox', 'tools'];

/** The settings of an agent, or `undefined` for one that is not configured. @param {object} cfg @param {string} agentId */
export function resolveAgentConfig(cfg, agentId) {
  const entry = entryOf(cfg, agentId);
  if (!entry) return undefined;
  const defaults = cfg.agents?.defaults;
  const texts = ['name', 'workspace', 'agentDir', 'systemPromptOverride'].map((key) => [key, readStringValue(entry[key])]);
  return {
    ...Object.fromEntries(texts),
    ...Object.fromEntries(COPIED.map((key) => [key, entry[key]])),
    model: typeof entry.model === 'string' ? entry.model : object(entry.model),
    verboseDefault: entry.verboseDefault ?? defaults?.verboseDefault,
    reasoningDefault: entry.reasoningDefault,
    skills: Array.isArray(entry.skills) ? entry.skills : undefined,
    contextLimits: object(entry.contextLimits) ? { ...defaults?.contextLimits, ...entry.contextLimits } : defaults?.contextLimits,
    subagents: object(entry.subagents),
    embeddedPi: object(entry.embeddedPi),
  };
}

function defaultWorkspace(env) {
  const profile = env.OPENCLAW_PROFILE?.trim();
  const home = resolveUserPath('~', env);
  return path.join(home, '.openclaw', profile && profile.toLowerCase() !== 'default' ? `workspace-${profile}` : 'workspace');
}

/** The workspace of an agent. @param {object} cfg @param {string} agentId @param {NodeJS.ProcessEnv} [env] @returns {string} */
export function resolveAgentWorkspaceDir(cfg, agentId, env = process.env) {
  const id = normalizeAgentId(agentId);
  const own = resolveAgentConfig(cfg, id)?.workspace?.trim();
  if (own) return withoutNull(resolveUserPath(own, env));
  const shared = cfg.agents?.defaults?.workspace?.trim();
  const isDefault = id === resolveDefaultAgentId(cfg);
  if (shared) return withoutNull(isDefault ? resolveUserPath(shared, env) : path.join(resolveUserPath(shared, env), id));
  return withoutNull(isDefault ? defaultWorkspace(env) : path.join(resolveStateDir(env), `workspace-${id}`));
}

/** The directory with an agent's own files. @param {object} cfg @param {string} agentId @param {NodeJS.ProcessEnv} [env] @returns {string} */
export function resolveAgentDir(cfg, agentId, env = process.env) {
  const own = resolveAgentConfig(cfg, agentId)?.agentDir?.trim();
  return own ? resolveUserPath(own, env) : path.join(resolveStateDir(env), 'agents', normalizeAgentId(agentId), 'agent');
}

/** The same for the default agent. @param {object} cfg @param {NodeJS.ProcessEnv} [env] @returns {string} */
export const resolveDefaultAgentDir = (cfg, env = process.env) => resolveAgentDir(cfg, resolveDefaultAgentId(cfg), env);

/** The agent directory that the environment names, else that of `main`. @param {NodeJS.ProcessEnv} [env] @returns {string} */
export function resolveOpenClawAgentDir(env = process.env) {
  const named = env.OPENCLAW_AGENT_DIR?.trim() || env.PI_CODING_AGENT_DIR?.trim();
  return named ? resolveUserPath(named, env) : resolveDefaultAgentDir({}, env);
}

/** The agent of a session and the default one. @param {{ sessionKey?: string, config?: object, agentId?: string }} params */
export function resolveSessionAgentIds({ sessionKey, config, agentId }) {
  const defaultAgentId = resolveDefaultAgentId(config ?? {});
  const named = normalizeOptionalString(agentId) ?? parseAgentSessionKey(sessionKey)?.agentId;
  return { defaultAgentId, sessionAgentId: named ? normalizeAgentId(named) : defaultAgentId };
}
/** The agent of a session. @param {{ sessionKey?: string, config?: object, agentId?: string }} params @returns {string} */
export const resolveSessionAgentId = (params) => resolveSessionAgentIds(params).sessionAgentId;

/** The first model of a model setting. @param {unknown} model @returns {string | undefined} */
export const resolveAgentModelPrimaryValue = (model) => normalizeOptionalString(typeof model === 'string' ? model : object(model)?.primary);
/** The fallback models of a model setting. @param {unknown} model @returns {string[]} */
export const resolveAgentModelFallbackValues = (model) => (Array.isArray(object(model)?.fallbacks) ? model.fallbacks : []);

/** The model that an agent's own settings name. @param {object} cfg @param {string} agentId @returns {string | undefined} */
export const resolveAgentExplicitModelPrimary = (cfg, agentId) => resolveAgentModelPrimaryValue(resolveAgentConfig(cfg, agentId)?.model);
export const resolveAgentModelPrimary = resolveAgentExplicitModelPrimary;
/** The same, or that of all agents. @param {object} cfg @param {string} agentId @returns {string | undefined} */
export const resolveAgentEffectiveModelPrimary = (cfg, agentId) =>
  resolveAgentExplicitModelPrimary(cfg, agentId) ?? resolveAgentModelPrimaryValue(cfg.agents?.defaults?.model);

/** The fallbacks that an agent sets itself: none for one that names only a model. @param {object} cfg @param {string} agentId @returns {string[] | undefined} */
export function resolveAgentModelFallbacksOverride(cfg, agentId) {
  const model = resolveAgentConfig(cfg, agentId)?.model;
  if (!model) return undefined;
  if (typeof model === 'string' || !Object.hasOwn(model, 'fallbacks')) return resolveAgentModelPrimaryValue(model) ? [] : undefined;
  return Array.isArray(model.fallbacks) ? model.fallbacks : undefined;
}

/** The agent that fallbacks are taken from. @param {{ agentId?: string, sessionKey?: string }} params @returns {string} */
export const resolveFallbackAgentId = ({ agentId, sessionKey }) => (agentId?.trim() ? normalizeAgentId(agentId) : resolveAgentIdFromSessionKey(sessionKey));

/** The fallbacks of a run. @param {{ cfg?: object, agentId?: string, sessionKey?: string }} params @returns {string[] | undefined} */
export const resolveRunModelFallbacksOverride = (params) =>
  params.cfg ? resolveAgentModelFallbacksOverride(params.cfg, resolveFallbackAgentId(params)) : undefined;

/** The fallbacks when a session may have a model of its own. @param {object} params @returns {string[] | undefined} */
export function resolveEffectiveModelFallbacks({ cfg, agentId, hasSessionModelOverride, modelOverrideSource }) {
  const own = resolveAgentModelFallbacksOverride(cfg, agentId);
  if (!hasSessionModelOverride) return own;
  return modelOverrideSource === 'auto' ? own ?? resolveAgentModelFallbackValues(cfg.agents?.defaults?.model) : [];
}

/** Whether a run has any fallback. @param {{ cfg?: object, agentId?: string, sessionKey?: string }} params @returns {boolean} */
export const hasConfiguredModelFallbacks = (params) =>
  (resolveRunModelFallbacksOverride(params) ?? resolveAgentModelFallbackValues(params.cfg?.agents?.defaults?.model)).length > 0;

const withPrimary = (model, primary) => (object(model) && !Array.isArray(model) ? { ...model, primary } : primary);

/** Sets an agent's model where it is set now, in place. @param {object} cfg @param {string} agentId @param {string} primary @returns {'agent' | 'defaults'} */
export function setAgentEffectiveModelPrimary(cfg, agentId, primary) {
  const entry = resolveAgentExplicitModelPrimary(cfg, agentId) ? entryOf(cfg, agentId) : undefined;
  if (entry) {
    entry.model = withPrimary(entry.model, primary);
    return 'agent';
  }
  cfg.agents ??= {};
  cfg.agents.defaults ??= {};
  cfg.agents.defaults.model = withPrimary(cfg.agents.defaults.model, primary);
  return 'defaults';
}

/** The skills that an agent may use; `undefined` for all. @param {object} cfg @param {string} agentId @returns {string[] | undefined} */
export function resolveAgentSkillsFilter(cfg, agentId) {
  const entry = cfg && entryOf(cfg, agentId);
  const list = entry && Object.hasOwn(entry, 'skills') ? entry.skills : cfg?.agents?.defaults?.skills;
  return list === undefined ? undefined : normalizeStringEntries(list);
}

/** The limits of an agent's context. @param {object} [cfg] @param {string} [agentId] */
export function resolveAgentContextLimits(cfg, agentId) {
  const defaults = cfg?.agents?.defaults?.contextLimits;
  return cfg && agentId ? resolveAgentConfig(cfg, agentId)?.contextLimits ?? defaults : defaults;
}

/** How strictly an agent must act. @param {object} [cfg] @param {string} [agentId] */
export function resolveAgentExecutionContract(cfg, agentId) {
  const defaults = cfg?.agents?.defaults?.embeddedPi?.executionContract;
  return cfg && agentId ? resolveAgentConfig(cfg, agentId)?.embeddedPi?.executionContract ?? defaults : defaults;
}

const realPath = (file) => {
  const full = path.resolve(withoutNull(resolveUserPath(file)));
  try {
    return fs.realpathSync.native(full);
  } catch {
    return full;
  }
};

/** The agents whose workspace a path lies in, the nearest first. @param {object} cfg @param {string} workspacePath @returns {string[]} */
export function resolveAgentIdsByWorkspacePath(cfg, workspacePath) {
  const target = realPath(workspacePath);
  const inside = (root) => target === root || target.startsWith(root.endsWith(path.sep) ? root : root + path.sep);
  return listAgentIds(cfg)
    .map((id) => ({ id, root: realPath(resolveAgentWorkspaceDir(cfg, id)) }))
    .filter(({ root }) => inside(root))
    .sort((left, right) => right.root.length - left.root.length)
    .map(({ id }) => id);
}
/** The nearest of them. @param {object} cfg @param {string} workspacePath @returns {string | undefined} */
export const resolveAgentIdByWorkspacePath = (cfg, workspacePath) => resolveAgentIdsByWorkspacePath(cfg, workspacePath)[0];
