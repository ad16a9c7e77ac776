// Words of a caller about the agent's run: what it does, an end to it, something it should know.
import { peer, plugins } from '../../../worker/state.js';
import { normalizeOptionalString } from '../strings.js';
import { REALTIME_VOICE_AGENT_CONTROL_TOOL_NAME, buildRealtimeVoiceAgentCancelProviderResult } from './consult.js';
import { resolveRealtimeVoiceAgentControlIntent } from './control.js';

/** What a caller hears; nothing of it is written into the conversation. */
const SPOKEN = { speak: true, show: true, suppress: false };

function ask(params) {
  if (!peer) throw Object.assign(new Error('runs are the gateway\'s; this works only inside a plugin worker'), { code: 'NOT_BUILT' });
  return peer.request('host.session.control', { pluginId: plugins.size === 1 ? plugins.keys().next().value : undefined, ...params });
}

const STEPS = {
  'tool.call': (name) => (name ? `The agent is starting ${name}.` : 'The agent is starting a tool.'),
  'tool.result': (name) => `The agent has finished ${name ?? 'a tool'} and goes on.`,
  'tool.progress': (name, phase) => (name ? `The agent is working in ${name}${phase ? ` (${phase})` : ''}.` : 'The agent is still working.'),
};

/** One sentence about the run, from the last events of the call. */
function statusText(active, events = []) {
  const recent = [...events].reverse();
  if (!active) return recent.some(({ type }) => type === 'turn.ended') ? 'The agent has finished the last request.' : 'The agent is working on nothing now.';
  const tool = recent.find(({ type, payload }) => type.startsWith('tool.') && payload?.name !== REALTIME_VOICE_AGENT_CONTROL_TOOL_NAME);
  const step = tool && STEPS[tool.type];
  if (!step) return 'The agent is working on the request.';
  return step(normalizeOptionalString(tool.payload?.name), normalizeOptionalString(tool.payload?.phase));
}

/** What the run reads of something that is to come after what it does now. */
const followup = (text) => ['The caller adds this.', 'Finish the step under way first, unless this changes what you are doing now.', '', text].join('\n');

/**
 * Tells how the run of a session stands, ends it, or tells it something.
 * @param {{sessionKey: string, text: string, mode?: unknown, recentEvents?: {type: string, payload?: any}[], channel?: string}} params
 * @returns {Promise<{ok: boolean, mode: string, sessionKey: string, sessionId?: string, active: boolean, message: string, aborted?: boolean, queued?: boolean, reason?: string, providerResult?: object, speak: boolean, show: boolean, suppress: boolean}>}
 */
export async function controlRealtimeVoiceAgentRun({ sessionKey: given, text: said, mode: wanted, recentEvents, channel }) {
  const [sessionKey, text] = [given.trim(), said.trim()];
  const { mode } = resolveRealtimeVoiceAgentControlIntent({ text, mode: wanted });
  const action = mode === 'status' ? 'look' : mode === 'cancel' ? 'cancel' : 'steer';
  const { sessionId, active, done } = await ask({ sessionKey, action, channel, ...(action === 'steer' ? { text: mode === 'followup' ? followup(text) : text } : {}) });
  const answer = (ok, message, more) => ({ ok, mode, sessionKey, ...(active && sessionId ? { sessionId } : {}), active, message, ...SPOKEN, ...more });
  if (action === 'look') return answer(true, statusText(active, recentEvents));
  const told = action === 'cancel' ? 'aborted' : 'queued';
  if (!active && !done) return answer(false, `There is no run to ${action === 'cancel' ? 'cancel' : 'steer'}.`, { [told]: false, reason: 'no_active_run' });
  if (action === 'cancel') {
    const message = 'The run was cancelled.';
    return done ? answer(true, message, { aborted: true, providerResult: buildRealtimeVoiceAgentCancelProviderResult(message) }) : answer(false, 'The run could not be cancelled.', { aborted: false, reason: 'abort_rejected' });
  }
  if (!done) return answer(false, 'The run takes nothing up now.', { queued: false, reason: 'not_streaming' });
  return answer(true, mode === 'followup' ? 'The run will hear of that.' : 'The run has been told.', { queued: true, target: 'embedded_run', enqueuedAtMs: Date.now() });
}
