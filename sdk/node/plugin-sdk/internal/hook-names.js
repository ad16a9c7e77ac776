// Names of typed hooks, and what of older hooks' results is text for the prompt.
import { resolveGlobalSingleton } from './singletons.js';

/** Every typed hook. */
export const PLUGIN_HOOK_NAMES = [
  'before_model_resolve', 'agent_turn_prepare', 'before_prompt_build', 'before_agent_start', 'before_agent_reply', 'model_call_started', 'model_call_ended', 'llm_input', 'llm_output',
  'before_agent_finalize', 'agent_end', 'before_compaction', 'after_compaction', 'before_reset', 'inbound_claim', 'message_received', 'message_sending', 'message_sent', 'before_tool_call',
  'after_tool_call', 'tool_result_persist', 'before_message_write', 'session_start', 'session_end', 'subagent_spawning', 'subagent_delivery_target', 'subagent_spawned', 'subagent_ended',
  'gateway_start', 'gateway_stop', 'heartbeat_prompt_contribution', 'cron_changed', 'before_dispatch', 'reply_dispatch', 'before_install', 'before_agent_run',
];
/** Hooks that may put text into a prompt. */
export const PROMPT_INJECTION_HOOK_NAMES = ['agent_turn_prepare', 'before_prompt_build', 'before_agent_start', 'heartbeat_prompt_contribution'];
/** Hooks that see the conversation. */
export const CONVERSATION_HOOK_NAMES = ['before_model_resolve', 'before_agent_reply', 'llm_input', 'llm_output', 'before_agent_finalize', 'agent_end', 'before_agent_run'];
/** Members of a result that change the prompt. */
export const PLUGIN_PROMPT_MUTATION_RESULT_FIELDS = ['systemPrompt', 'prependContext', 'appendContext', 'prependSystemContext', 'appendSystemContext'];
/** How an approval that a hook asks for may end. */
export const PluginApprovalResolutions = { ALLOW_ONCE: 'allow-once', ALLOW_ALWAYS: 'allow-always', DENY: 'deny', TIMEOUT: 'timeout', CANCELLED: 'cancelled' };

const among = (names) => (name) => typeof name === 'string' && names.includes(name);
/**
 * @param {unknown} name
 * @returns {boolean}
 */
export const isPluginHookName = among(PLUGIN_HOOK_NAMES);
/**
 * @param {unknown} name
 * @returns {boolean}
 */
export const isPromptInjectionHookName = among(PROMPT_INJECTION_HOOK_NAMES);
/**
 * @param {unknown} name
 * @returns {boolean}
 */
export const isConversationHookName = among(CONVERSATION_HOOK_NAMES);

/**
 * A result of `before_agent_start` without what changes the prompt.
 * @param {object | undefined} result
 * @returns {object | undefined} `undefined` when nothing is left
 */
export function stripPromptMutationFieldsFromLegacyHookResult(result) {
  if (!result || typeof result !== 'object') return result;
  const rest = Object.entries(result).filter(([key]) => !PLUGIN_PROMPT_MUTATION_RESULT_FIELDS.includes(key));
  return rest.length > 0 ? Object.fromEntries(rest) : undefined;
}

/**
 * Starts a service from a module that is loaded only now; a variable may name another module or skip it.
 * @param {{skipEnvVar?: string, overrideEnvVar?: string, validateOverrideSpecifier?: (specifier: string) => string, loadDefaultModule: () => Promise<object>, loadOverrideModule?: (specifier: string) => Promise<object>, startExportNames: string[], stopExportNames?: string[]}} params
 * @returns {Promise<{stop: () => Promise<void>} | null>}
 */
export async function startLazyPluginServiceModule(params) {
  const read = (name) => (name?.trim() ? process.env[name.trim()]?.trim() : undefined);
  if (['1', 'on', 'true', 'yes'].includes(read(params.skipEnvVar)?.toLowerCase())) return null;
  const named = read(params.overrideEnvVar);
  const specifier = named && (params.validateOverrideSpecifier?.(named) ?? named);
  const module = specifier ? await (params.loadOverrideModule ?? defaultLoadOverrideModule)(specifier) : await params.loadDefaultModule();
  const pick = (names = []) => names.map((name) => module[name]).find((value) => typeof value === 'function');
  const start = pick(params.startExportNames);
  if (!start) return null;
  await start();
  return { stop: pick(params.stopExportNames) ?? (async () => {}) };
}

/**
 * @param {string} specifier
 * @returns {Promise<object>}
 */
export const defaultLoadOverrideModule = (specifier) => import(specifier);

const scope = resolveGlobalSingleton(Symbol.for('openclaw.pluginRuntimeGatewayRequestScope'), () => new (process.getBuiltinModule('node:async_hooks').AsyncLocalStorage)());

/**
 * The request of the gateway that the caller works for, when this process was told of it.
 * @returns {object | undefined}
 */
export const getPluginRuntimeGatewayRequestScope = () => scope.getStore();
