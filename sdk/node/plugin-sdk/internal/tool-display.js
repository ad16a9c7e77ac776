// How tools are shown to people: a sign, a title, and what they work on.
import { redactSensitiveText } from './redact.js';
import { shortenHomeInString } from './plain-text.js';
import { normalizeLowercaseStringOrEmpty, normalizeOptionalString } from './strings.js';

/** `name: [sign, title, the arguments that tell most]`. */
const TOOLS = {
  bash: ['🛠️', 'Bash', ['command']], exec: ['🛠️', 'Exec', ['command']], process: ['🧰', 'Process', ['sessionId']], read: ['📖', 'Read', ['path']],
  write: ['✍️', 'Write', ['path']], edit: ['📝', 'Edit', ['path']], apply_patch: ['🩹', 'Apply Patch', []], attach: ['📎', 'Attach', ['path', 'url', 'fileName']],
  api: ['🌐', 'API', ['url', 'endpoint', 'path', 'method', 'name']], browser: ['🌐', 'Browser', ['targetUrl', 'targetId', 'url']], canvas: ['🖼️', 'Canvas', ['url', 'target', 'node']],
  nodes: ['📱', 'Nodes', ['node', 'nodeId', 'requestId']], cron: ['⏰', 'Cron', ['job.name', 'job.id', 'id']], gateway: ['🔌', 'Gateway', ['reason', 'delayMs']],
  get_goal: ['🎯', 'Get Goal', []], create_goal: ['🎯', 'Create Goal', ['objective']], update_goal: ['🎯', 'Update Goal', ['status']],
  update_plan: ['🗺️', 'Update Plan', ['explanation', 'plan.0.step']], skill_workshop: ['🧰', 'Skill Workshop', ['action', 'name']],
  tool_call: ['🧰', 'Tool Call', []], tool_call_update: ['🧰', 'Tool Call', []], session_status: ['📊', 'Session Status', ['sessionKey', 'model']],
  sessions_list: ['🗂️', 'Sessions', ['label', 'agentId', 'search']], sessions_send: ['📨', 'Session Send', ['label', 'sessionKey', 'agentId']],
  sessions_history: ['🧾', 'Session History', ['sessionKey']], sessions_spawn: ['🧑‍🔧', 'Sub-agent', ['label', 'task', 'agentId']], sessions_yield: ['⏸️', 'Yield', ['message']],
  subagents: ['🤖', 'Subagents', ['target']], agents_list: ['🧭', 'Agents', []], transcripts: ['🎙️', 'Transcripts', ['sessionId', 'title']],
  memory_search: ['🧠', 'Memory Search', ['query']], memory_get: ['📓', 'Memory Get', ['path']], web_search: ['🔎', 'Web Search', ['query']], web_fetch: ['📄', 'Web Fetch', ['url']],
  code_execution: ['🧮', 'Code Execution', ['task']], message: ['✉️', 'Message', ['provider', 'to', 'media']], image: ['🖼️', 'Image', ['path', 'url', 'prompt']],
  image_generate: ['🎨', 'Image Generation', ['prompt', 'model']], music_generate: ['🎵', 'Music Generation', ['prompt', 'model']], video_generate: ['🎬', 'Video Generation', ['prompt', 'model']],
  pdf: ['📑', 'PDF', ['path', 'url', 'prompt']], tts: ['🔊', 'TTS', ['text', 'channel']],
};
const OTHER_KEYS = ['command', 'path', 'url', 'targetUrl', 'targetId', 'id', 'to', 'channelId', 'userId', 'name', 'query', 'pattern', 'messageId'];
const MAX_DETAIL = 160;

const titleOf = (name) => name.split(/[_\s]+/).filter(Boolean).map((word) => word[0].toUpperCase() + word.slice(1)).join(' ') || 'Tool';

function shown(value) {
  const text = ['string', 'number'].includes(typeof value) ? String(value).trim().split(/\r?\n/)[0] : '';
  return text.length > MAX_DETAIL ? `${text.slice(0, 79)}…${text.slice(-80)}` : text;
}

/** A tool's sign, title and what it works on; credentials are masked. @param {{name?: string, args?: any}} params @returns {{name: string, emoji: string, title: string, label: string, detail?: string}} */
export function resolveToolDisplay({ name: raw, args }) {
  const name = normalizeOptionalString(raw) ?? 'tool';
  const [emoji, title, keys] = TOOLS[normalizeLowercaseStringOrEmpty(name)] ?? ['🧩', titleOf(name), OTHER_KEYS];
  const values = keys.map((key) => shown(key.split('.').reduce((value, part) => value?.[part], args))).filter(Boolean);
  const action = normalizeOptionalString(args?.action);
  const detail = [...(action && keys.length > 0 ? [action] : []), ...values.slice(0, 2)].join(', ');
  return { name, emoji, title, label: title, detail: detail ? shortenHomeInString(redactSensitiveText(detail)) : undefined };
}
