// Approval requests as messages: what is asked, which answers there are, how it ended.
import { redactSensitiveText } from './redact.js';
import { normalizeOptionalLowercaseString, normalizeOptionalString } from './strings.js';

/** How long an approval of a command waits, in milliseconds. */
export const DEFAULT_EXEC_APPROVAL_TIMEOUT_MS = 30 * 60 * 1000;
/** How long an approval that a plugin asks for waits. */
export const DEFAULT_PLUGIN_APPROVAL_TIMEOUT_MS = 120_000;
/** The longest that a plugin may let one wait. */
export const MAX_PLUGIN_APPROVAL_TIMEOUT_MS = 600_000;

const DECISIONS = ['allow-once', 'allow-always', 'deny'];
const BUTTONS = { 'allow-once': ['Allow Once', 'success'], 'allow-always': ['Allow Always', 'primary'], deny: ['Deny', 'danger'] };
const known = (list) => (Array.isArray(list) ? list.filter((decision) => DECISIONS.includes(decision)) : []);

/**
 * The answers to an approval of a command; where every run is asked for, none is for ever.
 * @param {{ask?: string | null}} [params]
 * @returns {readonly string[]}
 */
export const resolveExecApprovalAllowedDecisions = (params) => (normalizeOptionalLowercaseString(params?.ask) === 'always' ? ['allow-once', 'deny'] : DECISIONS);

/**
 * The answers that a request names, else those of its policy.
 * @param {{ask?: string | null, allowedDecisions?: readonly string[]}} [params]
 * @returns {readonly string[]}
 */
export function resolveExecApprovalRequestAllowedDecisions(params) {
  const explicit = known(params?.allowedDecisions);
  return explicit.length > 0 ? explicit : resolveExecApprovalAllowedDecisions({ ask: params?.ask });
}

/** The answers to what a plugin asks. @param {{allowedDecisions?: readonly string[]}} [request] @returns {readonly string[]} */
export function resolvePluginApprovalDecisions(request) {
  const explicit = [...new Set(known(request?.allowedDecisions))];
  return explicit.length > 0 ? explicit : DECISIONS;
}

/**
 * The buttons of an approval: what each says, how it looks and the command it sends.
 * @param {{approvalCommandId: string, ask?: string | null, allowedDecisions?: readonly string[]}} params
 * @returns {Array<{decision: string, label: string, style: string, command: string}>}
 */
export function buildExecApprovalActionDescriptors({ approvalCommandId, ask, allowedDecisions }) {
  const id = approvalCommandId.trim();
  const allowed = allowedDecisions ?? resolveExecApprovalAllowedDecisions({ ask });
  if (!id) return [];
  return DECISIONS.filter((decision) => allowed.includes(decision)).map((decision) => {
    const [label, style] = BUTTONS[decision];
    return { decision, label, style, command: `/approve ${id} ${decision}` };
  });
}

/**
 * The buttons as an interactive reply.
 * @param {Array<{label: string, style: string, command: string}>} actions
 * @returns {{blocks: object[]} | undefined}
 */
export function buildApprovalInteractiveReplyFromActionDescriptors(actions) {
  const buttons = actions.map(({ label, command, style }) => ({ label, value: command, style }));
  return buttons.length > 0 ? { blocks: [{ type: 'buttons', buttons }] } : undefined;
}

/**
 * The buttons as a presentation that every channel can show.
 * @param {Array<{label: string, style: string, command: string}>} actions
 * @returns {{blocks: object[]} | undefined}
 */
export function buildApprovalPresentationFromActionDescriptors(actions) {
  const buttons = actions.map(({ label, command, style }) => ({ label, action: { type: 'command', command }, value: command, style }));
  return buttons.length > 0 ? { blocks: [{ type: 'buttons', buttons }] } : undefined;
}
/** @param {{approvalId: string, ask?: string | null, allowedDecisions?: readonly string[]}} params @returns {{blocks: object[]} | undefined} */
export const buildApprovalPresentation = ({ approvalId, ...params }) => buildApprovalPresentationFromActionDescriptors(buildExecApprovalActionDescriptors({ ...params, approvalCommandId: approvalId }));
/** @param {{approvalCommandId: string, ask?: string | null, allowedDecisions?: readonly string[]}} params @returns {{blocks: object[]} | undefined} */
export const buildExecApprovalPresentation = ({ approvalCommandId, ...params }) => buildApprovalPresentation({ ...params, approvalId: approvalCommandId });

const interactiveOf = (approvalId, allowedDecisions) => buildApprovalInteractiveReplyFromActionDescriptors(buildExecApprovalActionDescriptors({ approvalCommandId: approvalId, allowedDecisions }));

/**
 * What `/approve` was given.
 * @param {string} raw
 * @returns {{approvalId: string, decision: string} | null}
 */
export function parseExecApprovalCommandText(raw) {
  const [, approvalId, word] = /^\/?approve(?:@\S+)?\s+([a-z0-9][\w.:-]*)\s+(allow-once|allow-always|always|deny)\b/i.exec(raw.trim()) ?? [];
  if (!approvalId) return null;
  const decision = word.toLowerCase();
  return { approvalId, decision: decision === 'always' ? 'allow-always' : decision };
}

/** Characters that do not show, or change the order of those that do. */
const HIDDEN = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Co}\p{Cn}\u115f\u1160\u3164\uffa0]|(?! )\p{Zs}/gu;
/** The longest command that is shown, in characters. */
const MAX_SHOWN = 16_000;

function shown(text) {
  const safe = redactSensitiveText(text.slice(0, MAX_SHOWN)).replace(HIDDEN, (char) => `\\u{${char.codePointAt(0).toString(16).toUpperCase()}}`);
  return text.length > MAX_SHOWN ? `${safe}…[${text.length - MAX_SHOWN} more characters]` : safe;
}

/**
 * A command as an approver sees it: hidden characters are spelled out, secrets are not shown.
 * @param {{command?: string, commandPreview?: string | null, host?: string, systemRunPlan?: {commandText?: string, commandPreview?: string | null} | null}} request
 * @returns {{commandText: string, commandPreview: string | null}}
 */
export function resolveExecApprovalCommandDisplay({ command, commandPreview, host, systemRunPlan }) {
  const plan = host === 'node' ? systemRunPlan : undefined;
  const commandText = shown(command || plan?.commandText || '');
  const preview = (commandPreview ?? plan?.commandPreview)?.trim();
  const safe = preview ? shown(preview) : null;
  return { commandText, commandPreview: safe === commandText ? null : safe };
}

/**
 * A path with `~` for a home directory.
 * @param {string} value
 * @returns {string}
 */
export function formatApprovalDisplayPath(value) {
  const text = value.trim();
  if (/(?:^|[\\/])\.{1,2}(?:[\\/]|$)/.test(text)) return text;
  const match = /^(?:\/(?:home|Users)\/[^/]+|[a-z]:[\\/]Users[\\/][^\\/]+)(.*)$/i.exec(text);
  return match ? `~${match[1].replace(/\\/g, '/')}` : text;
}

/** A text in a code block that it cannot end. @param {string} text @param {string} [language] @returns {string} */
export function fencedText(text, language = '') {
  const longest = Math.max(2, ...[...text.matchAll(/`+/g)].map(([run]) => run.length));
  const marks = '`'.repeat(longest + 1);
  return `${marks}${language}\n${text}\n${marks}`;
}

/** A time that is left, in its two largest units. @param {number} ms @returns {string} */
export function remainingTime(ms) {
  const seconds = Math.max(0, Math.round(ms / 1000));
  const parts = [[Math.floor(seconds / 3600), 'h'], [Math.floor(seconds / 60) % 60, 'm'], [seconds % 60, 's']].filter(([count]) => count > 0).slice(0, 2);
  return parts.map(([count, unit]) => `${count}${unit}`).join(' ') || '0s';
}

const metadata = ({ approvalId, approvalSlug, approvalKind = 'exec', agentId, sessionKey }, allowedDecisions) => ({
  approvalId, approvalSlug, approvalKind, agentId: normalizeOptionalString(agentId), allowedDecisions, sessionKey: normalizeOptionalString(sessionKey),
});

/**
 * The message that asks to approve a command.
 * @param {object} params `approvalId`, `approvalSlug`, `approvalCommandId`, `command`, `host`, `nodeId`, `cwd`, `ask`, `allowedDecisions`, `warningText`, `expiresAtMs`, `nowMs`, `agentId`, `sessionKey`
 * @returns {{text: string, interactive?: object, channelData: object}}
 */
export function buildExecApprovalPendingReplyPayload(params) {
  const allowed = params.allowedDecisions ?? resolveExecApprovalAllowedDecisions({ ask: params.ask });
  const actions = buildExecApprovalActionDescriptors({ approvalCommandId: params.approvalCommandId?.trim() || params.approvalSlug, allowedDecisions: allowed });
  const [first, ...others] = actions.map(({ command }) => command);
  const info = [
    `Host: ${params.host}`,
    params.nodeId && `Node: ${params.nodeId}`,
    params.cwd && `CWD: ${formatApprovalDisplayPath(params.cwd)}`,
    Number.isFinite(params.expiresAtMs) && `Expires in: ${remainingTime(params.expiresAtMs - (params.nowMs ?? Date.now()))}`,
    `Full id: \`${params.approvalId}\``,
  ];
  const parts = [
    params.warningText?.trim(),
    'Approval required.',
    first && `Run:\n\n${fencedText(first, 'txt')}`,
    `Pending command:\n\n${fencedText(params.command, 'sh')}`,
    others.length > 0 && `Other options:\n\n${fencedText(others.join('\n'), 'txt')}`,
    !allowed.includes('allow-always') && 'The policy asks each time: it cannot be allowed for good.',
    info.filter(Boolean).join('\n'),
  ];
  return { text: parts.filter(Boolean).join('\n\n'), interactive: interactiveOf(params.approvalId, allowed), channelData: { execApproval: metadata({ ...params, approvalKind: 'exec' }, allowed) } };
}

/**
 * A message that asks for any approval.
 * @param {{approvalId: string, approvalSlug: string, approvalKind?: 'exec' | 'plugin', text: string, agentId?: string | null, allowedDecisions?: readonly string[], sessionKey?: string | null, channelData?: object}} params
 * @returns {{text: string, interactive?: object, channelData: object}}
 */
export function buildApprovalPendingReplyPayload(params) {
  const allowed = params.allowedDecisions ?? DECISIONS;
  return { text: params.text, interactive: interactiveOf(params.approvalId, allowed), channelData: { execApproval: { ...metadata(params, allowed), state: 'pending' }, ...params.channelData } };
}

/**
 * A message that says how an approval ended.
 * @param {{approvalId: string, approvalSlug: string, text: string, channelData?: object}} params
 * @returns {{text: string, channelData: object}}
 */
export const buildApprovalResolvedReplyPayload = ({ approvalId, approvalSlug, text, channelData }) => ({ text, channelData: { execApproval: { approvalId, approvalSlug, state: 'resolved' }, ...channelData } });

/**
 * What a plugin asks for, in words.
 * @param {{id: string, request: object, expiresAtMs: number}} approval
 * @param {number} nowMs
 * @returns {string}
 */
export function buildPluginApprovalRequestMessage({ id, request, expiresAtMs }, nowMs) {
  const icon = { critical: '🚨', info: 'ℹ️' }[request.severity] ?? '🛡️';
  const named = [['Tool', request.toolName], ['Plugin', request.pluginId], ['Agent', request.agentId]].filter(([, value]) => value);
  return [
    `${icon} Plugin approval required`,
    `Title: ${request.title}`,
    `Description: ${request.description}`,
    ...named.map(([label, value]) => `${label}: ${value}`),
    `ID: ${id}`,
    `Expires in: ${Math.max(0, Math.round((expiresAtMs - nowMs) / 1000))}s`,
    `Reply with: /approve <id> ${resolvePluginApprovalDecisions(request).join('|')}`,
  ].join('\n');
}

const ENDED = { 'allow-once': 'allowed once', 'allow-always': 'allowed always', deny: 'denied' };
const by = (name) => (name ? ` Resolved by ${name}.` : '');

/**
 * @param {{id: string, decision: string, resolvedBy?: string | null}} resolved
 * @returns {string}
 */
export const buildPluginApprovalResolvedMessage = ({ id, decision, resolvedBy }) => `✅ Plugin approval ${ENDED[decision] ?? decision}.${by(resolvedBy)} ID: ${id}`;

/**
 * @param {{id: string}} request
 * @returns {string}
 */
export const buildPluginApprovalExpiredMessage = ({ id }) => `⏱️ Plugin approval expired. ID: ${id}`;

/**
 * The message that asks for what a plugin wants.
 * @param {{request: object, nowMs: number, approvalSlug?: string, text?: string, allowedDecisions?: readonly string[], channelData?: object}} params
 * @returns {{text: string, interactive?: object, channelData: object}}
 */
export const buildPluginApprovalPendingReplyPayload = ({ request, nowMs, approvalSlug, text, allowedDecisions, channelData }) =>
  buildApprovalPendingReplyPayload({
    approvalKind: 'plugin', approvalId: request.id, approvalSlug: approvalSlug ?? request.id.slice(0, 8), text: text ?? buildPluginApprovalRequestMessage(request, nowMs),
    allowedDecisions: allowedDecisions ?? resolvePluginApprovalDecisions(request.request), channelData,
  });

/**
 * The message that says how it ended.
 * @param {{resolved: object, approvalSlug?: string, text?: string, channelData?: object}} params
 * @returns {{text: string, channelData: object}}
 */
export const buildPluginApprovalResolvedReplyPayload = ({ resolved, approvalSlug, text, channelData }) =>
  buildApprovalResolvedReplyPayload({ approvalId: resolved.id, approvalSlug: approvalSlug ?? resolved.id.slice(0, 8), text: text ?? buildPluginApprovalResolvedMessage(resolved), channelData });

/**
 * Says that the approvers were asked in private.
 * @returns {string}
 */
export const getExecApprovalApproverDmNoticeText = () => 'Approval required. The approvers of this account were asked in private messages.';

/**
 * How an approval ended, for its message.
 * @param {{request: {id: string}, resolved: {id: string, decision: string, resolvedBy?: string | null}, view: {approvalKind: string}}} params
 * @returns {string}
 */
export const buildChannelApprovalResolvedText = ({ request, resolved, view }) =>
  view.approvalKind === 'plugin' ? buildPluginApprovalResolvedMessage(resolved) : `✅ Exec approval ${resolved.decision}.${by(resolved.resolvedBy)} ID: ${request.id}`;

/**
 * That an approval came too late.
 * @param {{request: {id: string}, view: {approvalKind: string}}} params
 * @returns {string}
 */
export const buildChannelApprovalExpiredText = ({ request, view }) => (view.approvalKind === 'plugin' ? buildPluginApprovalExpiredMessage(request) : `⏱️ Exec approval expired. ID: ${request.id}`);

/**
 * The account that an approval is sent with.
 * @param {{plannedAccountId?: string | null, contextAccountId?: string | null, fallbackAccountId?: string | null}} params
 * @returns {string | undefined}
 */
export const resolvePreparedApprovalAccountId = (params) => [params.plannedAccountId, params.contextAccountId, params.fallbackAccountId].map(normalizeOptionalString).find(Boolean);
