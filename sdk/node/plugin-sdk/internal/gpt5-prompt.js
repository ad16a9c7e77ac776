// What models of the GPT-5 family are told beside the agent's own prompt.
import { normalizeLowercaseStringOrEmpty } from './strings.js';

/** How the model is to work. */
export const GPT5_BEHAVIOR_CONTRACT = [
  '<work_style>', 'Do the task at hand before you talk about it. Use a tool as soon as it helps, and go on until the task is done or you need the user.',
  'Before you say that something is done, check it with a tool where you can. Say plainly what you could not check.', 'Answer in the form that was asked for. Keep plans and intermediate thoughts out of the answer.', '</work_style>',
].join('\n');
/** When the agent is woken by a heartbeat. */
export const GPT5_HEARTBEAT_PROMPT_OVERLAY = ['<heartbeat>', 'A heartbeat is a chance to be useful, not a call for a report. Look at what is open, do one thing that helps, and stay silent when there is nothing worth a message.', '</heartbeat>'].join('\n');
/** The tone of a conversation. */
export const GPT5_FRIENDLY_CHAT_PROMPT_OVERLAY = ['<tone>', 'Be warm and brief. Write as a capable colleague would in a chat: short sentences, no stock phrases, no praise for the question.', 'Say what you think, and admit what you do not know.', '</tone>'].join('\n');
export const GPT5_FRIENDLY_PROMPT_OVERLAY = `${GPT5_FRIENDLY_CHAT_PROMPT_OVERLAY}\n\n${GPT5_HEARTBEAT_PROMPT_OVERLAY}`;

/** `friendly` or `off`; nothing for other values. @param {unknown} value @returns {'friendly' | 'off' | undefined} */
export function normalizeGpt5PromptOverlayMode(value) {
  const mode = normalizeLowercaseStringOrEmpty(value);
  return mode === 'off' ? 'off' : mode === 'friendly' || mode === 'on' ? 'friendly' : undefined;
}
/** Providers that the setting of OpenAI's plugin counts for. */
const OPENAI = ['codex', 'codex-cli', 'openai', 'openai-codex', 'azure-openai', 'azure-openai-responses'];
/** The setting: of the agents, else of OpenAI's plugin, else as given. @param {object} [config] @param {object} [pluginConfig] @param {{providerId?: string}} [params] @returns {'friendly' | 'off'} */
export function resolveGpt5PromptOverlayMode(config, pluginConfig, params) {
  const provider = normalizeLowercaseStringOrEmpty(params?.providerId);
  const wishes = [config?.agents?.defaults?.promptOverlays?.gpt5?.personality, ...(!provider || OPENAI.includes(provider) ? [config?.plugins?.entries?.openai?.config?.personality] : []), pluginConfig?.personality];
  return wishes.map(normalizeGpt5PromptOverlayMode).find(Boolean) ?? 'friendly';
}

const isGpt5 = (modelId) => /(?:^|[/:])gpt-5(?:$|[.-])/.test(normalizeLowercaseStringOrEmpty(modelId));
/** What a provider adds to the system prompt; `undefined` for another family. @param {{modelId?: string, config?: object, legacyPluginConfig?: object, providerId?: string, enabled?: boolean, trigger?: string, includeHeartbeatGuidance?: boolean}} params */
export function resolveGpt5SystemPromptContribution(params) {
  if (params.enabled === false || !isGpt5(params.modelId)) return undefined;
  const friendly = resolveGpt5PromptOverlayMode(params.config, params.legacyPluginConfig, params) === 'friendly';
  const style = params.includeHeartbeatGuidance === true || params.trigger === 'heartbeat' ? GPT5_FRIENDLY_PROMPT_OVERLAY : GPT5_FRIENDLY_CHAT_PROMPT_OVERLAY;
  return { stablePrefix: GPT5_BEHAVIOR_CONTRACT, sectionOverrides: friendly ? { interaction_style: style } : {} };
}
/** The same as one text. @param {object} params @returns {string | undefined} */
export function renderGpt5PromptOverlay(params) {
  const added = resolveGpt5SystemPromptContribution(params);
  return added && [added.stablePrefix, ...Object.values(added.sectionOverrides)].join('\n\n');
}
