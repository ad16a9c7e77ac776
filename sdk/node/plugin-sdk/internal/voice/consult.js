// A live voice model that hands work over to the agent.
import { normalizeLowercaseStringOrEmpty, normalizeOptionalString } from '../strings.js';

export const REALTIME_VOICE_AGENT_CONSULT_TOOL_NAME = 'openclaw_agent_consult';
export const REALTIME_VOICE_AGENT_CONTROL_TOOL_NAME = 'openclaw_agent_control';
export const REALTIME_VOICE_AGENT_CONSULT_TOOL_POLICIES = ['safe-read-only', 'owner', 'none'];
export const REALTIME_VOICE_AGENT_CONTROL_MODES = ['status', 'steer', 'cancel', 'followup'];

const text = (description) => ({ type: 'string', description });
export const REALTIME_VOICE_AGENT_CONSULT_TOOL = {
  type: 'function',
  name: REALTIME_VOICE_AGENT_CONSULT_TOOL_NAME,
  description: "Hand the caller's request to the agent, which has tools, memory and context, and speak its answer.",
  parameters: {
    type: 'object',
    properties: { question: text('What the caller wants, as one clear question or task'), context: text('What of the conversation matters for it'), responseStyle: text('How the spoken answer should sound') },
    required: ['question'],
  },
};
export const REALTIME_VOICE_AGENT_CONTROL_TOOL = {
  type: 'function',
  name: REALTIME_VOICE_AGENT_CONTROL_TOOL_NAME,
  description: 'Act on work of the agent that is under way: ask how far it is, stop it, change it, or add something for afterwards. Callers may ask in any language.',
  parameters: {
    type: 'object',
    properties: { text: text("The caller's words, or their meaning"), mode: { type: 'string', enum: REALTIME_VOICE_AGENT_CONTROL_MODES, description: '`status`: how far it is; `cancel`: stop; `steer`: change what is being done; `followup`: do this afterwards' } },
    required: ['text', 'mode'],
  },
};

/** Whether a value is a policy. @param {unknown} value @returns {boolean} */
export const isRealtimeVoiceAgentConsultToolPolicy = (value) => REALTIME_VOICE_AGENT_CONSULT_TOOL_POLICIES.includes(value);
/** The policy, or the fallback. @param {unknown} value @param {string} fallback @returns {string} */
export const resolveRealtimeVoiceAgentConsultToolPolicy = (value, fallback) =>
  REALTIME_VOICE_AGENT_CONSULT_TOOL_POLICIES.find((policy) => policy === normalizeLowercaseStringOrEmpty(value)) ?? fallback;
/** The tools of a voice model; of equal names the first holds. @param {string} policy @param {object[]} [customTools] @returns {object[]} */
export function resolveRealtimeVoiceAgentConsultTools(policy, customTools = []) {
  const tools = [...(policy === 'none' ? [] : [REALTIME_VOICE_AGENT_CONSULT_TOOL]), ...customTools];
  return tools.filter((tool, index) => tools.findIndex(({ name }) => name === tool.name) === index);
}
/** The tools that the agent may use; `undefined` for all. @param {string} policy @returns {string[] | undefined} */
export const resolveRealtimeVoiceAgentConsultToolsAllow = (policy) =>
  ({ owner: undefined, 'safe-read-only': ['read', 'web_search', 'web_fetch', 'x_search', 'memory_search', 'memory_get'], none: [] })[policy];

const argument = (args, ...keys) => (args && typeof args === 'object' && !Array.isArray(args) ? keys.map((key) => normalizeOptionalString(args[key])).find(Boolean) : undefined);

/** The arguments of a consultation; without a question they are an error. @param {unknown} args @returns {{ question: string, context?: string, responseStyle?: string }} */
export function parseRealtimeVoiceAgentConsultArgs(args) {
  const question = argument(args, 'question', 'prompt', 'query', 'task');
  if (!question) throw new Error('question required');
  return { question, context: argument(args, 'context'), responseStyle: argument(args, 'responseStyle') };
}
/** The arguments as one message. @param {unknown} args @returns {string} */
export function buildRealtimeVoiceAgentConsultChatMessage(args) {
  const { question, context, responseStyle } = parseRealtimeVoiceAgentConsultArgs(args);
  return [question, context && `Context:\n${context}`, responseStyle && `Spoken style:\n${responseStyle}`].filter(Boolean).join('\n\n');
}
/** When a voice model should ask the agent, as instructions. @param {{ toolPolicy?: string, consultPolicy?: string }} config @returns {string | undefined} */
export function buildRealtimeVoiceAgentConsultPolicyInstructions({ toolPolicy, consultPolicy }) {
  if (toolPolicy === 'none' || !consultPolicy || consultPolicy === 'auto') return undefined;
  const tool = `\`${REALTIME_VOICE_AGENT_CONSULT_TOOL_NAME}\``;
  const rules = consultPolicy === 'always'
    ? [`Every answer with content needs ${tool} first.`, 'Greetings, thanks and short words while you wait need no tool.', 'Speak the result briefly once it is there.']
    : ['Greetings, small talk and tests of the line you answer yourself.', `Whatever needs facts, memory, current events, tools, files or what the agent knows of the caller needs ${tool} first.`, 'Keep what you say short and natural.'];
  return ['When to ask the agent:', ...rules.map((rule) => `- ${rule}`)].join('\n');
}
/** The prompt with which the agent is asked. @param {{ args: unknown, transcript: { role: string, text: string }[], surface: string, userLabel: string, assistantLabel?: string, questionSourceLabel?: string }} params @returns {string} */
export function buildRealtimeVoiceAgentConsultPrompt({ args, transcript, surface, userLabel, assistantLabel = 'Agent', questionSourceLabel = userLabel.toLowerCase() }) {
  const { question, context, responseStyle } = parseRealtimeVoiceAgentConsultArgs(args);
  const said = transcript.slice(-12).map((entry) => `${entry.role === 'assistant' ? assistantLabel : userLabel}: ${entry.text}`).join('\n');
  return [
    `This comes from the ${questionSourceLabel}, live, by voice, during ${surface}.`,
    'You act for this person. Use your tools when there is something to do.',
    'Answer with nothing but what is to be spoken: short, no markdown, no account of tools or of your reasoning, sources only where the answer needs them.',
    responseStyle && `Spoken style: ${responseStyle}`,
    said && `What was said lately:\n${said}`,
    context && `More context:\n${context}`,
    `Request:\n${question}`,
  ].filter(Boolean).join('\n\n');
}
/** What a voice model says until the answer is there. @param {string} [audienceLabel] @returns {{ status: string, tool: string, message: string }} */
export const buildRealtimeVoiceAgentConsultWorkingResponse = (audienceLabel = 'person') => ({
  status: 'working',
  tool: REALTIME_VOICE_AGENT_CONSULT_TOOL_NAME,
  message: `Say to the ${audienceLabel} in a few words that you are looking into it. Answer only when the result has come.`,
});
/** What a voice model gets when a run was stopped. @param {string} [message] @returns {{ status: string, message: string }} */
export const buildRealtimeVoiceAgentCancelProviderResult = (message = 'The active run was cancelled.') => ({ status: 'cancelled', message });
/** A status that is to be spoken as it is. @param {string} status @returns {string} */
export const buildRealtimeVoiceAgentControlSpeechMessage = (status) =>
  ['This is a status of the agent, not a request.', 'Call no tool for it.', 'Speak the following words exactly:', `Status: ${JSON.stringify(status)}`].join('\n');
/** The visible text of an agent's answer. @param {{ text?: string, isError?: boolean, isReasoning?: boolean }[]} payloads @returns {string | null} */
export const collectRealtimeVoiceAgentConsultVisibleText = (payloads) =>
  payloads.filter((payload) => !payload.isError && !payload.isReasoning).map((payload) => normalizeOptionalString(payload.text)).filter(Boolean).join('\n\n') || null;

const FRAGMENTS = new Set('a about an and as at because but by for from in of on or so that the then to with'.split(' '));
/** Why a transcript is not worth asking the agent. @param {string} said @returns {string | undefined} */
export function classifySkippableRealtimeVoiceConsultTranscript(said) {
  const line = said.replace(/\s+/g, ' ').trim().toLowerCase();
  if (!line) return 'empty';
  if (/(\.\.\.|…)\s*$/.test(line)) return 'incomplete-transcript';
  if (FRAGMENTS.has(/[a-z']+$/.exec(line)?.[0].replace(/^'+|'+$/g, ''))) return 'trailing-fragment';
  const leaving = /^(i'?ll|i will) be (right )?back\b/.test(line) || /\b(see you|bye(?:-bye)?|goodbye)\b/.test(line);
  return leaving && !line.includes('?') ? 'non-actionable-closing' : undefined;
}

const STOP_WORDS = new Set('a an and are can check could for in is it look me of on or please see that the this to would you'.split(' '));
/** A question without punctuation. @param {string} [value] @returns {string | undefined} */
export const normalizeRealtimeVoiceConsultQuestion = (value) => value?.toLowerCase().replace(/[^\p{L}\p{N}]+/gu, ' ').trim() || undefined;
/** Whether two questions mean the same. @param {string | undefined} left @param {string | undefined} right @param {{ minTokenOverlapCount?: number, minTokenOverlapRatio?: number }} [options] @returns {boolean} */
export function matchRealtimeVoiceConsultQuestions(left, right, { minTokenOverlapCount = 2, minTokenOverlapRatio = 0.6 } = {}) {
  const [a, b] = [normalizeRealtimeVoiceConsultQuestion(left), normalizeRealtimeVoiceConsultQuestion(right)];
  if (!a || !b) return false;
  if (a.includes(b) || b.includes(a)) return true;
  const tokens = (line) => new Set(line.split(' ').filter((word) => word.length >= 2 && !STOP_WORDS.has(word)));
  const [one, two] = [tokens(a), tokens(b)];
  const shared = [...one].filter((word) => two.has(word)).length;
  const least = Math.min(one.size, two.size);
  return least > 0 && shared >= minTokenOverlapCount && shared / least >= minTokenOverlapRatio;
}
/** The question in a tool's arguments. @param {unknown} args @param {string[]} [keys] @returns {string | undefined} */
export const readRealtimeVoiceConsultQuestion = (args, keys = ['question', 'prompt', 'query', 'task']) =>
  typeof args === 'string' ? normalizeOptionalString(args) : argument(args, ...keys);

/** What of a tool's result can be spoken. @param {unknown} result @param {{ keys?: string[], maxChars?: number, stringResult?: boolean }} [options] @returns {string | undefined} */
export function readSpeakableRealtimeVoiceToolResult(result, { keys = ['text', 'result', 'output', 'error'], maxChars = 1800, stringResult = true } = {}) {
  const found = typeof result === 'string' ? (stringResult ? normalizeOptionalString(result) : undefined) : argument(result, ...keys);
  return found && found.length > maxChars ? `${found.slice(0, Math.max(0, maxChars - 16)).trimEnd()} [truncated]` : found;
}
