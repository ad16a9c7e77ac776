// Clients that show approvals of commands on a channel.
import { parseAgentSessionKey } from './session-keys.js';
import { isRecord, normalizeOptionalString } from './strings.js';

const DECISIONS = ['allow-once', 'allow-always', 'deny'];
/** Longest session key that a configured pattern is tried on. */
const MAX_INPUT = 2048;

export const isChannelExecApprovalClientEnabledFromConfig = ({ enabled, approverCount }) => approverCount > 0 && (enabled === true || enabled === 'auto');

/** What a reply says about the approval that it carries, or `null`. */
export function getExecApprovalReplyMetadata(payload) {
  const record = isRecord(payload.channelData) ? payload.channelData.execApproval : undefined;
  if (!isRecord(record)) return null;
  const approvalId = normalizeOptionalString(record.approvalId);
  const approvalSlug = normalizeOptionalString(record.approvalSlug);
  if (!approvalId || !approvalSlug) return null;
  return {
    approvalId,
    approvalSlug,
    approvalKind: record.approvalKind === 'plugin' ? 'plugin' : 'exec',
    agentId: normalizeOptionalString(record.agentId),
    allowedDecisions: Array.isArray(record.allowedDecisions) ? record.allowedDecisions.filter((value) => DECISIONS.includes(value)) : undefined,
    sessionKey: normalizeOptionalString(record.sessionKey),
  };
}

/**
 * Whether a session key fits one of the patterns: as a part of it, or as a regular expression.
 * @param {string} sessionKey
 * @param {string[]} patterns
 * @returns {boolean}
 */
export const matchesApprovalRequestSessionFilter = (sessionKey, patterns) => patterns.some((pattern) => sessionMatches(sessionKey, pattern));

/** Whether a request passes the configured filters for agents and sessions. */
export function matchesApprovalRequestFilters({ request, agentFilter, sessionFilter, fallbackAgentIdFromSessionKey }) {
  const sessionKey = normalizeOptionalString(request.sessionKey);
  const fromSession = fallbackAgentIdFromSessionKey ? parseAgentSessionKey(request.sessionKey)?.agentId : undefined;
  const agentId = normalizeOptionalString(request.agentId) ?? fromSession;
  if (agentFilter?.length && !agentFilter.includes(agentId)) return false;
  return !sessionFilter?.length || (sessionKey !== undefined && matchesApprovalRequestSessionFilter(sessionKey, sessionFilter));
}

function sessionMatches(sessionKey, pattern) {
  if (sessionKey.includes(pattern)) return true;
  // Patterns with a repetition inside a repetition could take for ever.
  if (/\([^)]*[+*}][^)]*\)[+*{]/.test(pattern)) return false;
  try {
    return new RegExp(pattern).test(sessionKey.slice(0, MAX_INPUT));
  } catch {
    return false;
  }
}

/** The checks of one channel's approval client. */
export function createChannelExecApprovalProfile(params) {
  const { resolveConfig, resolveApprovers, normalizeSenderId = normalizeOptionalString } = params;
  const isClientEnabled = (input) =>
    isChannelExecApprovalClientEnabledFromConfig({ enabled: resolveConfig(input)?.enabled, approverCount: resolveApprovers(input).length });
  const isApprover = (input) => {
    const sender = input.senderId ? normalizeSenderId(input.senderId) : undefined;
    return Boolean(sender) && resolveApprovers(input).includes(sender);
  };
  return {
    isClientEnabled,
    isApprover,
    isAuthorizedSender: (input) => isApprover(input) || (params.isTargetRecipient?.(input) ?? false),
    resolveTarget: (input) => resolveConfig(input)?.target ?? 'dm',
    shouldHandleRequest(input) {
      if ((params.matchesRequestAccount && !params.matchesRequestAccount(input)) || !isClientEnabled(input)) return false;
      const { agentFilter, sessionFilter } = resolveConfig(input) ?? {};
      const fallbackAgentIdFromSessionKey = params.fallbackAgentIdFromSessionKey === true;
      return matchesApprovalRequestFilters({ request: input.request.request, agentFilter, sessionFilter, fallbackAgentIdFromSessionKey });
    },
    shouldSuppressLocalPrompt: (input) =>
      (params.requireClientEnabledForLocalPromptSuppression === false || isClientEnabled(input)) && getExecApprovalReplyMetadata(input.payload) !== null,
  };
}
