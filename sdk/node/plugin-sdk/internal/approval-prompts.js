// Messages that ask for an approval and are answered by a reaction, with a text for channels without reactions.
import { APPROVAL_REACTION_BINDINGS, buildApprovalReactionHint, listApprovalReactionBindings } from './approval-reactions.js';
import {
  buildApprovalPendingReplyPayload, buildExecApprovalActionDescriptors, buildExecApprovalPendingReplyPayload, buildPluginApprovalPendingReplyPayload,
  fencedText, formatApprovalDisplayPath, remainingTime, resolveExecApprovalCommandDisplay, resolveExecApprovalRequestAllowedDecisions, resolvePluginApprovalDecisions,
} from './approval-replies.js';

/** Characters that could hide what an approver reads. */
const HIDDEN = /[\p{Cc}\p{Cf}\u2028\u2029]/gu;

const SEVERITIES = { critical: 'Critical', info: 'Info' };
const severityName = (severity) => SEVERITIES[severity] ?? 'Warning';
const pairs = (rows) => rows.filter(([, value]) => value).map(([label, value]) => ({ label, value }));

function pluginView({ id, request, expiresAtMs }) {
  const { title, description = null, agentId = null, pluginId = null, toolName = null } = request;
  const severity = request.severity ?? 'warning';
  return {
    approvalId: id, approvalKind: 'plugin', phase: 'pending', title, description,
    metadata: pairs([['Severity', severityName(severity)], ['Tool', toolName], ['Plugin', pluginId], ['Agent', agentId]]),
    agentId, pluginId, toolName, severity,
    actions: buildExecApprovalActionDescriptors({ approvalCommandId: id, allowedDecisions: resolvePluginApprovalDecisions(request) }), expiresAtMs,
  };
}
function execView({ id, request, expiresAtMs }) {
  const { ask = null, agentId = null, warningText = null, commandAnalysis = null, cwd = null, envKeys, host = null, nodeId = null, sessionKey = null } = request;
  return {
    approvalId: id, approvalKind: 'exec', phase: 'pending', title: 'Exec Approval Required', description: 'A command needs your approval.',
    metadata: pairs([['Agent', agentId], ['CWD', cwd], ['Host', host], ['Env Overrides', Array.isArray(envKeys) && envKeys.join(', ')]]),
    ask, agentId, warningText, commandAnalysis, ...resolveExecApprovalCommandDisplay(request), cwd, envKeys: envKeys ?? undefined, host, nodeId, sessionKey,
    actions: buildExecApprovalActionDescriptors({ approvalCommandId: id, ask, allowedDecisions: resolveExecApprovalRequestAllowedDecisions(request) }), expiresAtMs,
  };
}
const viewOf = (request) => (request.id.startsWith('plugin:') ? pluginView(request) : execView(request));

const MAX_WARNINGS = 5;
const ended = ({ approvalId, expiresAtMs }, nowMs) => [`Expires in: ${remainingTime(expiresAtMs - nowMs)}`, `Full id: \`${approvalId}\``];
const named = (rows) => rows.filter(([, value]) => value).map(([label, value]) => `${label}: ${value}`);
function execSections(view, nowMs) {
  const warnings = (view.commandAnalysis?.warningLines ?? []).map((line) => line.trim()).filter(Boolean).slice(0, MAX_WARNINGS);
  return [
    `Exec approval required\nID: ${view.approvalId}`,
    view.warningText?.trim(),
    warnings.length > 0 && ['Command analysis:', ...warnings.map((line) => `- ${line}`)].join('\n'),
    `Pending command:\n${fencedText(view.commandText, 'sh')}`,
    [...named([['CWD', view.cwd && formatApprovalDisplayPath(view.cwd.replace(HIDDEN, ''))], ['Host', view.host], ['Node', view.nodeId], ['Agent', view.agentId], ['Ask', view.ask]]), ...ended(view, nowMs)].join('\n'),
  ];
}
const pluginSections = (view, nowMs) => [
  `Plugin approval required\nID: ${view.approvalId}`,
  [`Title: ${view.title}`, ...named([['Description', view.description], ['Severity', severityName(view.severity)], ['Tool', view.toolName], ['Plugin', view.pluginId], ['Agent', view.agentId]]), ...ended(view, nowMs)].join('\n'),
];
const decisionsOf = ({ actions }) => APPROVAL_REACTION_BINDINGS.map(({ decision }) => decision).filter((decision) => actions.some((action) => action.decision === decision));
function promptText(view, nowMs, allowed) {
  const sections = view.approvalKind === 'exec' ? execSections(view, nowMs) : pluginSections(view, nowMs);
  const byHand = [!allowed.includes('allow-always') && 'The policy asks each time: it cannot be allowed for good.', allowed.length > 0 && `Reply with: /approve ${view.approvalId} ${allowed.join('|')}`];
  const commands = view.actions.filter(({ command }) => command.trim()).map(({ label, command }) => `${label}: ${command}`);
  return [...sections, buildApprovalReactionHint({ allowedDecisions: allowed }), commands.join('\n'), byHand.filter(Boolean).join('\n')].filter(Boolean).join('\n\n');
}
const withoutButtons = ({ presentation: _presentation, interactive: _interactive, ...rest }) => rest;

/** The message that asks for reactions, of a request whose view is known. @param {{request: any, view: any, nowMs: number}} params @returns {any} */
export function buildApprovalPendingPromptPayload({ request, view, nowMs }) {
  const allowedDecisions = decisionsOf(view);
  const { approvalKind, approvalId, agentId = null } = view;
  const payload = buildApprovalPendingReplyPayload({
    approvalKind, approvalId, approvalSlug: approvalId.slice(0, 8), text: promptText(view, nowMs, allowedDecisions), agentId, allowedDecisions, sessionKey: request.request?.sessionKey ?? null,
  });
  return { ...withoutButtons(payload), allowedDecisions, reactionBindings: listApprovalReactionBindings({ allowedDecisions }) };
}

/** The message that asks for reactions. @param {{request: any, nowMs: number}} params @returns {any} */
export const buildApprovalReactionPromptPayloadForRequest = ({ request, nowMs }) => buildApprovalPendingPromptPayload({ request, view: viewOf(request), nowMs });

function byHandPayload({ request, view, nowMs }, allowedDecisions) {
  if (view.approvalKind === 'plugin') {
    const payload = buildPluginApprovalPendingReplyPayload({ request, nowMs, allowedDecisions });
    return { ...payload, text: payload.text.replace(/\/approve\s+<id>/g, () => `/approve ${request.id}`) };
  }
  return buildExecApprovalPendingReplyPayload({
    approvalId: request.id, approvalSlug: request.id.slice(0, 8), approvalCommandId: request.id, warningText: view.warningText ?? undefined, ask: view.ask ?? null, agentId: view.agentId ?? null, allowedDecisions,
    command: view.commandText, cwd: view.cwd ?? undefined, host: view.host === 'node' ? 'node' : 'gateway', nodeId: view.nodeId ?? undefined, sessionKey: view.sessionKey ?? null, expiresAtMs: request.expiresAtMs, nowMs,
  });
}
/** The message that asks for reactions, and the one that asks for a command. @param {{request: any, view: any, nowMs: number}} params @returns {{reactionPayload: any, manualFallbackPayload: any}} */
export function buildApprovalReactionPendingContent(params) {
  const reactionPayload = buildApprovalPendingPromptPayload(params);
  return { reactionPayload, manualFallbackPayload: withoutButtons(byHandPayload(params, reactionPayload.allowedDecisions)) };
}
/** The same, of a request alone. @param {{request: any, nowMs: number}} params @returns {{reactionPayload: any, manualFallbackPayload: any}} */
export const buildApprovalReactionPendingContentForRequest = ({ request, nowMs }) => buildApprovalReactionPendingContent({ request, view: viewOf(request), nowMs });
