// Words of approvals for commands: hosts, rules, decisions.
import { buildApprovalInteractiveReplyFromActionDescriptors, buildExecApprovalActionDescriptors, getExecApprovalApproverDmNoticeText, resolveExecApprovalAllowedDecisions } from './approval-replies.js';
import { normalizeOptionalLowercaseString } from './strings.js';

const DECISIONS = ['allow-once', 'allow-always', 'deny'];
export const DEFAULT_EXEC_APPROVAL_DECISIONS = [...DECISIONS];
export const DEFAULT_PLUGIN_APPROVAL_DECISIONS = [...DECISIONS];
/** What happens when nobody can be asked. */
export const DEFAULT_EXEC_APPROVAL_ASK_FALLBACK = 'full';
export const EXEC_TARGET_VALUES = ['auto', 'sandbox', 'gateway', 'node'];
/** In characters. */
export const PLUGIN_APPROVAL_TITLE_MAX_LENGTH = 80;
export const PLUGIN_APPROVAL_DESCRIPTION_MAX_LENGTH = 256;

const one = (values) => (raw) => values.find((value) => value === normalizeOptionalLowercaseString(raw)) ?? null;
const ASK = ['off', 'on-miss', 'always'];
const SECURITY = ['deny', 'allowlist', 'full'];
/** @type {(value: unknown) => 'off' | 'on-miss' | 'always' | null} */
export const normalizeExecAsk = one(ASK);
/** @type {(value: unknown) => 'deny' | 'allowlist' | 'full' | null} */
export const normalizeExecSecurity = one(SECURITY);
/** @type {(value: unknown) => 'sandbox' | 'gateway' | 'node' | null} */
export const normalizeExecHost = one(EXEC_TARGET_VALUES.slice(1));
/** @type {(value: unknown) => 'auto' | 'sandbox' | 'gateway' | 'node' | null} */
export const normalizeExecTarget = one(EXEC_TARGET_VALUES);
/** The stricter way of asking. @param {string} a @param {string} b @returns {string} */
export const maxAsk = (a, b) => (ASK.indexOf(a) >= ASK.indexOf(b) ? a : b);
/** The stricter rule. @param {string} a @param {string} b @returns {string} */
export const minSecurity = (a, b) => (SECURITY.indexOf(a) <= SECURITY.indexOf(b) ? a : b);
/** A host for commands; `null` for none. @param {unknown} value @returns {string | null} throws for other values */
export function requireValidExecTarget(value) {
  const allowed = `Allowed values: ${EXEC_TARGET_VALUES.join(', ')}.`;
  if (value === null || value === undefined) return null;
  if (typeof value !== 'string') throw new Error(`Invalid exec host value type ${typeof value}. ${allowed}`);
  if (!value.trim()) return null;
  const target = normalizeExecTarget(value);
  if (!target) throw new Error(`Invalid exec host "${value}". ${allowed}`);
  return target;
}
/** Whether somebody must be asked. @param {{ask: string, security: string, analysisOk: boolean, allowlistSatisfied: boolean, durableApprovalSatisfied?: boolean}} params @returns {boolean} */
export const requiresExecApproval = ({ ask, security, analysisOk, allowlistSatisfied, durableApprovalSatisfied }) =>
  ask === 'always' || (durableApprovalSatisfied !== true && ask === 'on-miss' && security === 'allowlist' && !(analysisOk && allowlistSatisfied));

/** @param {string} decision @returns {string} */
export const approvalDecisionLabel = (decision) => ({ 'allow-once': 'allowed once', 'allow-always': 'allowed always' })[decision] ?? 'denied';
/** @param {{decision: string, ask?: string}} params @returns {boolean} */
export const isExecApprovalDecisionAllowed = ({ decision, ask }) => resolveExecApprovalAllowedDecisions({ ask }).includes(decision);
/** @param {{allowedDecisions?: unknown}} [params] @returns {string[]} */
export function resolvePluginApprovalRequestAllowedDecisions(params) {
  const given = Array.isArray(params?.allowedDecisions) ? [...new Set(params.allowedDecisions.filter((decision) => DECISIONS.includes(decision)))] : [];
  return given.length > 0 ? given : DEFAULT_PLUGIN_APPROVAL_DECISIONS;
}
/** The command that decides. @param {{approvalCommandId: string, decision: string}} params @returns {string} */
export const buildExecApprovalCommandText = ({ approvalCommandId, decision }) => `/approve ${approvalCommandId} ${decision}`;
/** Buttons that decide. @param {{approvalId: string, ask?: string, allowedDecisions?: string[]}} params */
export const buildApprovalInteractiveReply = ({ approvalId, ask, allowedDecisions }) => buildApprovalInteractiveReplyFromActionDescriptors(buildExecApprovalActionDescriptors({ approvalCommandId: approvalId, ask, allowedDecisions }));
/** The same for a command. @param {{approvalCommandId: string, ask?: string, allowedDecisions?: string[]}} params */
export const buildExecApprovalInteractiveReply = ({ approvalCommandId, ...params }) => buildApprovalInteractiveReply({ ...params, approvalId: approvalCommandId });
/** How long a request is open. @param {number} expiresAtMs @param {number} nowMs @returns {string} */
export function formatExecApprovalExpiresIn(expiresAtMs, nowMs) {
  const total = Math.max(0, Math.round((expiresAtMs - nowMs) / 1000));
  if (total < 60) return `${total}s`;
  const [hours, minutes, seconds] = [Math.floor(total / 3600), Math.floor((total % 3600) / 60), total % 60];
  return [hours > 0 && `${hours}h`, minutes > 0 && `${minutes}m`, hours === 0 && minutes < 5 && seconds > 0 && `${seconds}s`].filter(Boolean).join(' ');
}
const REASONS = {
  'initiating-platform-disabled': (label) => `This command needs an approval, and approvals in the chat are not set up on ${label}.`,
  'initiating-platform-unsupported': (label) => `This command needs an approval, and ${label} has no approvals in the chat.`,
};
/** What is said when nobody can be asked in the chat. @param {{reason: string, warningText?: string, channelLabel?: string, sentApproverDms?: boolean}} params @returns {{text: string}} */
export function buildExecApprovalUnavailableReplyPayload({ reason, warningText, channelLabel = 'this platform', sentApproverDms }) {
  const told = sentApproverDms
    ? [getExecApprovalApproverDmNoticeText()]
    : [REASONS[reason]?.(channelLabel) ?? 'This command needs an approval, and nobody is there who could give it.', 'Approve it on the web page or with `/approve` in a chat that has approvals, then try again.'];
  return { text: [warningText?.trim(), ...told].filter(Boolean).join('\n\n') };
}
