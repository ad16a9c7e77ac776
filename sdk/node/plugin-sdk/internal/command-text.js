// Commands in texts: normal form, and cheap tests.
import { plugins, snapshot } from '../../worker/state.js';
import { hasControlCommand } from './commands.js';
import { normalizeLowercaseStringOrEmpty, normalizeOptionalLowercaseString, normalizeOptionalString } from './strings.js';

/** Words that stop a run, as people write them. */
const STOP_WORDS = new Set([
  'stop', 'esc', 'abort', 'wait', 'exit', 'interrupt', 'halt', 'detente', 'deten', 'detén', 'arrete', 'arrête', '停止', '停下来', '暂停', 'やめて', '止めて', 'रुको',
  'توقف', 'стоп', 'остановись', 'останови', 'остановить', 'прекрати', 'anhalten', 'aufhören', 'hoer auf', 'stopp', 'pare', 'stop openclaw', 'openclaw stop',
  'stop action', 'stop current action', 'stop run', 'stop current run', 'stop agent', 'stop the agent', "stop don't do anything", 'stop dont do anything',
  'stop do not do anything', 'stop doing anything', 'do not do that', 'please stop', 'stop please',
]);
const plainWords = (text) => normalizeLowercaseStringOrEmpty(text).replace(/[’`]/g, "'").replace(/\s+/g, ' ').replace(/[.!?！？…,，。;；:：'"’”)\]}]+$/u, '').trim();

/** Whether a text is one of the words that stop a run. @param {string|undefined} text @returns {boolean} */
export const isAbortTrigger = (text) => Boolean(text) && STOP_WORDS.has(plainWords(text));

/** The gateway's commands by their spellings, as far as this worker was told of them. */
function aliases() {
  const map = new Map();
  for (const { key, textAliases = [], acceptsArgs } of snapshot.chatCommands ?? []) {
    const canonical = normalizeOptionalString(textAliases[0]) ?? `/${key}`;
    for (const alias of textAliases) {
      const name = normalizeOptionalLowercaseString(alias);
      if (name && !map.has(name)) map.set(name, { canonical, acceptsArgs: Boolean(acceptsArgs) });
    }
  }
  return map;
}

/** A command in its normal form: `/name arguments`, without the bot's name; other texts stay. @param {string} raw @param {{botUsername?: string}} [options] @returns {string} */
export function normalizeCommandBody(raw, options) {
  const text = raw.trim();
  if (!text.startsWith('/')) return text;
  const [first, ...rest] = text.split('\n');
  const tail = rest.join('\n').trimStart();
  const line = withoutBotName(first.trim().replace(/^\/([^\s:]+)\s*:\s*(.*)$/, (_whole, name, args) => (args ? `/${name} ${args}` : `/${name}`)), options?.botUsername);
  const { command, spec } = canonical(line);
  return tail && spec?.acceptsArgs !== false ? `${command}\n${tail}` : command;
}

function withoutBotName(line, botUsername) {
  const bot = normalizeOptionalLowercaseString(botUsername);
  const match = bot && /^\/([^\s@]+)@(\S+)(.*)$/.exec(line);
  return match && match[2].toLowerCase() === bot ? `/${match[1]}${match[3]}` : line;
}

function canonical(line) {
  const known = aliases();
  const whole = known.get(line.toLowerCase());
  if (whole) return { command: whole.canonical, spec: whole };
  const [, name, args] = /^(\/\S+)(?:\s+([\s\S]+))?$/.exec(line) ?? [];
  const spec = name && known.get(name.toLowerCase());
  if (!spec || (args && !spec.acceptsArgs)) return { command: line };
  return { command: args ? `${spec.canonical} ${args}` : spec.canonical, spec };
}

/** Whether a text asks to stop. @param {string|undefined} text @param {any} [options] @returns {boolean} */
export function isAbortRequestText(text, options) {
  const command = text ? normalizeLowercaseStringOrEmpty(normalizeCommandBody(text, options)) : '';
  return command !== '' && (plainWords(command) === '/stop' || isAbortTrigger(command));
}

/** Whether a text is a question beside the run. @param {string|undefined} text @param {any} [options] @returns {boolean} */
export const isBtwRequestText = (text, options) => Boolean(text) && /^\/btw(?::|\s|$)/i.test(normalizeCommandBody(text, options).trim());

/** Whether a text has something like a command in it. @param {string|undefined} text @returns {boolean} */
export const hasInlineCommandTokens = (text) => /(?:^|\s)[/!][a-z]/i.test(text ?? '');

/** Whether a text is a command or asks to stop. @param {string|undefined} text @param {any} [_cfg] @param {any} [options] @returns {boolean} */
export function isControlCommandMessage(text, _cfg, options) {
  const trimmed = text?.trim();
  return Boolean(trimmed) && (hasControlCommand(trimmed) || isAbortTrigger(normalizeCommandBody(trimmed, options)));
}
/** Whether it matters for a text if its sender may command. @param {string|undefined} text @param {any} [cfg] @param {any} [options] @returns {boolean} */
export const shouldComputeCommandAuthorized = (text, cfg, options) => isControlCommandMessage(text, cfg, options) || hasInlineCommandTokens(text);

/** Whether a channel of this worker shows commands natively. @param {string|undefined} surface @returns {boolean} */
export function isNativeCommandSurface(surface) {
  const id = normalizeOptionalLowercaseString(surface);
  const channels = [...plugins.values()].flatMap(({ given }) => (given ?? []).filter(({ method }) => method === 'registerChannel').map(({ args }) => args[0]?.plugin));
  return id !== undefined && channels.some((channel) => channel?.id === id && channel.capabilities?.nativeCommands === true);
}

/** Whether commands in texts count on a channel: not where they are native and texts are switched off. @param {{cfg: any, surface?: string, commandSource?: string}} params @returns {boolean} */
export const shouldHandleTextCommands = ({ cfg, surface, commandSource }) => commandSource === 'native' || cfg.commands?.text !== false || !isNativeCommandSurface(surface);
