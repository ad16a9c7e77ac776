// The lines of progress drafts: what the agent does while the user waits.
import { resolveToolDisplay } from './tool-display.js';
import {
  resolveChannelProgressDraftLabel, resolveChannelProgressDraftLineOptions, resolveChannelProgressDraftMaxLineChars, resolveChannelProgressDraftMaxLines,
} from './streaming.js';
import { normalizeOptionalLowercaseString } from './strings.js';

/** @typedef {{id?: string, kind: string, text: string, label: string, icon?: string, detail?: string, status?: string, toolName?: string, prefix?: boolean}} ProgressLine */

/** Lines of one command belong together although their ids differ. */
const commandOf = new WeakMap();
const COMMANDS = new Set(['exec', 'shell', 'bash']);
const TOOL_OF_ITEM = { command: 'exec', patch: 'apply_patch', search: 'web_search', api: 'api', tool: 'tool_call' };
const isCommand = (name) => COMMANDS.has(normalizeOptionalLowercaseString(name));
const oneLine = (value) => (typeof value === 'string' ? value.replace(/\s+/g, ' ').trim() : '');
const compact = (values) => values.map(oneLine).filter(Boolean);

function inMarkdown(text) {
  const longest = Math.max(0, ...[...text.matchAll(/`+/g)].map(([run]) => run.length));
  const [fence, pad] = ['`'.repeat(longest + 1), /^`|`$|\n/.test(text) ? ' ' : ''];
  return fence + pad + text + pad + fence;
}

/** A line about a tool: sign and title, and what it works on. */
function toolLine(kind, name, details, options, { id, status, command } = {}) {
  const display = resolveToolDisplay({ name: name?.trim() || 'tool_call' });
  const detail = compact(details).join('; ');
  const shown = detail && options?.markdown ? inMarkdown(detail) : detail;
  const head = isCommand(display.name) && detail ? display.emoji : `${display.emoji} ${display.label}`;
  const line = {
    ...(id ? { id } : {}),
    kind,
    text: shown ? `${head}${head === display.emoji ? ' ' : ': '}${shown}` : head,
    label: display.label,
    icon: display.emoji,
    ...(shown ? { detail: shown } : {}),
    ...(status ? { status } : {}),
    toolName: display.name,
  };
  if (command) commandOf.set(line, `command:${command}`);
  return line;
}

const MAKERS = {
  tool(input, options) {
    const command = isCommand(input.name);
    const hidden = command && options?.commandText === 'status';
    const detail = hidden || !input.args ? undefined : resolveToolDisplay(input).detail;
    const id = input.itemId ?? (input.toolCallId ? `tool:${input.toolCallId}` : undefined);
    return toolLine('tool', input.name, [detail, input.name ? undefined : input.phase], options, { id, command: command ? input.toolCallId?.trim() : undefined });
  },
  item(input, options) {
    const itemKind = normalizeOptionalLowercaseString(input.itemKind);
    const command = itemKind === 'command' || isCommand(input.name);
    const detail = input.meta ?? input.summary ?? (command && options?.commandText === 'status' ? undefined : input.progressText);
    if (!detail && itemKind === 'analysis' && normalizeOptionalLowercaseString(input.title) === 'reasoning') return undefined;
    const more = { id: input.itemId?.trim(), status: input.status, command: command ? input.toolCallId?.trim() : undefined };
    const name = input.name ?? TOOL_OF_ITEM[itemKind];
    if (name) return toolLine('item', name, [detail], options, more);
    const [text] = compact([detail, input.title]);
    if (!text) return undefined;
    return { ...(more.id ? { id: more.id } : {}), kind: 'item', text, label: input.title?.trim() || input.itemKind?.trim() || 'Update', ...(input.status ? { status: input.status } : {}) };
  },
  plan: (input, options) => (['update', undefined].includes(input.phase) ? toolLine('plan', 'update_plan', [input.explanation, input.steps?.[0], input.title ?? 'planning'], options) : undefined),
  approval: (input, options) =>
    ['requested', undefined].includes(input.phase)
      ? toolLine('approval', 'approval', [input.command, input.message, input.reason, input.title ?? 'approval requested'], options, { status: 'requested' })
      : undefined,
  'command-output'(input, options) {
    if (!['end', undefined].includes(input.phase)) return undefined;
    const status = input.exitCode === 0 ? 'completed' : input.exitCode == null ? input.status : `exit ${input.exitCode}`;
    const detail = options?.commandText === 'status' ? undefined : input.title;
    const told = status && status !== 'completed' ? status : undefined;
    const id = input.itemId?.trim() || input.toolCallId?.trim();
    return toolLine('command-output', input.name ?? 'exec', [told, detail], options, { id, status, command: input.toolCallId?.trim() });
  },
  patch: (input, options) =>
    ['end', undefined].includes(input.phase)
      ? toolLine('patch', input.name ?? 'apply_patch', [input.summary, ...(input.added ?? []), ...(input.modified ?? []), ...(input.deleted ?? []), input.title], options, { id: input.itemId ?? input.toolCallId })
      : undefined,
};

/** A line of what happens, or nothing. @param {any} input @param {{markdown?: boolean, commandText?: 'raw'|'status'}} [options] @returns {ProgressLine|undefined} */
export const buildChannelProgressDraftLine = (input, options) => (Object.hasOwn(MAKERS, input.event) ? MAKERS[input.event](input, options) : undefined);
/** The same with the settings of a channel. @param {any} entry @param {any} input @param {any} [options] @returns {ProgressLine|undefined} */
export const buildChannelProgressDraftLineForEntry = (entry, input, options) => buildChannelProgressDraftLine(input, resolveChannelProgressDraftLineOptions(entry, options));
/** @param {any} input @param {any} [options] @returns {string|undefined} */
export const formatChannelProgressDraftLine = (input, options) => buildChannelProgressDraftLine(input, options)?.text;
/** @param {any} entry @param {any} input @param {any} [options] @returns {string|undefined} */
export const formatChannelProgressDraftLineForEntry = (entry, input, options) => buildChannelProgressDraftLineForEntry(entry, input, options)?.text;

/** A line as text: its parts, so that a changed status shows. */
function lineText(line) {
  if (typeof line === 'string') return line;
  const icon = line.icon?.trim() ? `${line.icon.trim()} ` : '';
  const [label, detail, text] = [line.label.trim(), line.detail?.trim(), line.text.trim()];
  const status = line.status?.trim() === 'completed' ? undefined : line.status?.trim();
  if (detail) {
    const told = line.kind === 'command-output' && status && detail !== status && !detail.startsWith(`${status};`) ? `${status}; ${detail}` : detail;
    return icon + (label && line.kind !== 'patch' && !isCommand(line.toolName) ? `${label}: ${told}` : told);
  }
  if (status) return icon + (label ? `${label}: ${status}` : status);
  return !icon && text && text !== label ? text : (icon + label).trim();
}

/** A line in the form in which lines are compared. @param {ProgressLine|string|undefined} line @returns {string} */
export const normalizeChannelProgressDraftLineIdentity = (line) => (line ? lineText(line).replace(/`([^`]+)`/gu, '$1').replace(/\s+/g, ' ').trim() : '');

const keysOf = (line) => (line && typeof line === 'object' ? [commandOf.get(line), line.id?.trim()].filter(Boolean) : []);

/** The end of a command keeps what its beginning said. */
function updated(previous, line) {
  if (typeof previous !== 'object' || typeof line !== 'object' || line.kind !== 'command-output' || !line.status) return line;
  const bare = !line.detail || line.detail === line.status;
  const ended = ['completed', 'failed'].includes(previous.status) || previous.status?.startsWith('exit ');
  if (!bare || !previous.detail?.trim() || ended) return line;
  const merged = { ...line, detail: previous.detail.trim() };
  merged.text = lineText(merged);
  const command = commandOf.get(line) ?? commandOf.get(previous);
  if (command) commandOf.set(merged, command);
  return merged;
}

/** Lines with one more, or with one that changed; the same list when nothing is new. @param {(ProgressLine|string)[]} lines @param {ProgressLine|string} line @param {{maxLines: number}} params @returns {(ProgressLine|string)[]} */
export function mergeChannelProgressDraftLine(lines, line, { maxLines }) {
  const identity = normalizeChannelProgressDraftLineIdentity(line);
  if (!identity) return lines;
  const keep = Math.max(1, maxLines);
  const keys = keysOf(line);
  const index = lines.findIndex((entry) => keysOf(entry).some((key) => keys.includes(key)));
  if (index >= 0) return lines.with(index, updated(lines[index], line)).slice(-keep);
  return normalizeChannelProgressDraftLineIdentity(lines.at(-1)) === identity ? lines : [...lines, line].slice(-keep);
}

/** A text of at most `max` characters; of what stands behind a colon the end is kept too. */
function shorten(text, max) {
  const chars = Array.from(text);
  if (chars.length <= max) return text;
  const head = Array.from(/^(?:.{1,40}?: |🛠️\s+)/u.exec(text)?.[0] ?? '');
  const room = max - head.length - 1;
  const front = Math.ceil(room * (head.length > 0 ? 0.45 : 1));
  const back = room - front;
  const rest = chars.slice(head.length);
  const cut = `${rest.slice(0, front).join('').trimEnd()}…${back > 0 ? rest.slice(-back).join('').trimStart() : ''}`;
  const whole = head.join('') + cut;
  return (whole.match(/`/g)?.length ?? 0) % 2 === 0 ? whole : whole.replaceAll('`', '');
}

/** The text of a draft: the word above it, then its last lines. @param {any} params @returns {string} */
export function formatChannelProgressDraftText({ entry, lines, seed, random, formatLine = (line) => line, bullet = '•' }) {
  const label = resolveChannelProgressDraftLabel({ entry, seed, random });
  const max = resolveChannelProgressDraftMaxLineChars(entry);
  const short = (text) => shorten(oneLine(text), max);
  const row = (line) => {
    const text = short(lineText(line));
    const bare = /^\p{Extended_Pictographic}/u.test(text) || (typeof line === 'object' && line.prefix === false);
    return text && (bare ? formatLine(text) : `${bullet} ${formatLine(text)}`);
  };
  const rows = [...(label ? [{ head: true, text: short(label) }] : []), ...lines.filter(Boolean).map((line) => ({ text: row(line) }))];
  const [first, ...rest] = rows.filter(({ text }) => text).slice(-resolveChannelProgressDraftMaxLines(entry));
  if (!first) return '';
  const body = rest.map(({ text }) => text).join('\n');
  return body ? `${first.text}${first.head ? '\n\n' : '\n'}${body}` : first.text;
}
