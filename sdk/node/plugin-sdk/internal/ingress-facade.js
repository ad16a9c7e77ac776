// Access of inbound messages as older channels ask for it: adapters, decisions, and decisions in older words.
import { decideChannelIngress } from './ingress-gates.js';
import { resolveState as resolveChannelIngressState } from './ingress.js';
import { normalizeStringEntries } from './strings.js';

export { resolveChannelIngressState };
/** Which gate of a decision is meant. */
export const CHANNEL_INGRESS_GATE_SELECTORS = {
  command: { phase: 'command', kind: 'command' }, activation: { phase: 'activation', kind: 'mention' }, dmSender: { phase: 'sender', kind: 'dmSender' },
  groupSender: { phase: 'sender', kind: 'groupSender' }, event: { phase: 'event', kind: 'event' },
};
const GATES = CHANNEL_INGRESS_GATE_SELECTORS;

/** @param {never} reasonCode @returns {never} */
export function assertNeverChannelIngressReason(reasonCode) {
  throw new Error(`Unhandled channel ingress reason code: ${String(reasonCode)}`);
}
/** @param {string} id @returns {string} */
export function createChannelIngressPluginId(id) {
  if (!id.trim()) throw new Error('Channel ingress plugin id must be non-empty.');
  return id.trim();
}
/** Who sent a message. @param {any} input an identifier, or `identifiers` @returns {{identifiers: any[]}} */
export const createChannelIngressSubject = (input) => ({
  identifiers: ('identifiers' in input ? input.identifiers : [input]).map(({ opaqueId, kind, value, dangerous, sensitivity }, index) => ({ opaqueId: opaqueId ?? `subject-${index + 1}`, kind: kind ?? 'stable-id', value, dangerous, sensitivity })),
});

const verdict = (matchedEntryIds) => ({ matched: matchedEntryIds.length > 0, matchedEntryIds });
const normal = (value, normalize) => normalize(value)?.trim() || undefined;
/** Matches one kind of identifier by its text. @param {any} [params] */
export function createChannelIngressStringAdapter({ kind = 'stable-id', normalizeEntry = (value) => value, normalizeSubject = normalizeEntry, isWildcardEntry = (entry) => entry === '*', resolveEntryId, dangerous, sensitivity } = {}) {
  const row = (entry, index) => {
    const value = isWildcardEntry(entry) ? '*' : normal(entry, normalizeEntry);
    return value ? [{ opaqueEntryId: resolveEntryId?.({ entry, index }) ?? `entry-${index + 1}`, kind, value, dangerous: typeof dangerous === 'function' ? dangerous(entry) : dangerous, sensitivity }] : [];
  };
  return {
    normalizeEntries: ({ entries }) => ({ matchable: normalizeStringEntries(entries).flatMap(row), invalid: [], disabled: [] }),
    matchSubject({ subject, entries }) {
      const values = subject.identifiers.filter((identifier) => identifier.kind === kind).map(({ value }) => normal(value, normalizeSubject)).filter(Boolean);
      return verdict(entries.filter((entry) => entry.kind === kind && (entry.value === '*' || values.includes(entry.value))).map(({ opaqueEntryId }) => opaqueEntryId));
    },
  };
}
const keyOf = ({ kind, value }) => `${kind}:${value}`;
/** Matches several kinds by keys. @param {any} params */
export const createChannelIngressMultiIdentifierAdapter = ({ normalizeEntry, getEntryMatchKey = keyOf, getSubjectMatchKeys = (identifier) => [keyOf(identifier)], isWildcardEntry = ({ value }) => value === '*' }) => ({
  normalizeEntries: ({ entries }) => ({ matchable: entries.flatMap((entry, index) => normalizeEntry(entry, index)), invalid: [], disabled: [] }),
  matchSubject({ subject, entries }) {
    const keys = new Set(subject.identifiers.flatMap((identifier) => getSubjectMatchKeys(identifier)).filter(Boolean));
    return verdict(entries.filter((entry) => isWildcardEntry(entry) || keys.has(getEntryMatchKey(entry) || undefined)).map(({ opaqueEntryId }) => opaqueEntryId));
  },
});

/** The decisions for direct messages and groups, and for commands in both. @param {any} params */
export const decideChannelIngressBundle = ({ directState, groupState, basePolicy, commandPolicy }) => ({
  dm: decideChannelIngress(directState, basePolicy), group: decideChannelIngress(groupState, basePolicy), dmCommand: decideChannelIngress(directState, commandPolicy), groupCommand: decideChannelIngress(groupState, commandPolicy),
});
/** @param {any} decision @param {{phase: string, kind: string}} selector */
export const findChannelIngressGate = ({ graph }, { phase, kind }) => graph.gates.find((gate) => gate.phase === phase && gate.kind === kind);
/** @param {any} decision @param {{isGroup: boolean}} params */
export const findChannelIngressSenderGate = (decision, { isGroup }) => findChannelIngressGate(decision, isGroup ? GATES.groupSender : GATES.dmSender);
/** @param {any} decision */
export const findChannelIngressCommandGate = (decision) => findChannelIngressGate(decision, GATES.command);
/** @param {any} decision @param {{isGroup: boolean}} params @returns {string} */
export const findChannelIngressSenderReasonCode = (decision, params) => findChannelIngressSenderGate(decision, params)?.reasonCode ?? decision.reasonCode;

const REASONS = {
  group_policy_allowed: ({ groupPolicy }) => `groupPolicy=${groupPolicy}`, group_policy_disabled: () => 'groupPolicy=disabled', group_policy_empty_allowlist: () => 'groupPolicy=allowlist (empty allowlist)',
  group_policy_not_allowlisted: () => 'groupPolicy=allowlist (not allowlisted)', dm_policy_open: () => 'dmPolicy=open', dm_policy_disabled: () => 'dmPolicy=disabled',
  dm_policy_allowlisted: ({ dmPolicy }) => `dmPolicy=${dmPolicy} (allowlisted)`, dm_policy_pairing_required: () => 'dmPolicy=pairing (not allowlisted)', dm_policy_not_allowlisted: ({ dmPolicy }) => `dmPolicy=${dmPolicy} (not allowlisted)`,
};
/** A reason in words. @param {{reasonCode: string, dmPolicy: string, groupPolicy: string}} params @returns {string} */
export const formatChannelIngressPolicyReason = (params) => (Object.hasOwn(REASONS, params.reasonCode) ? REASONS[params.reasonCode](params) : params.reasonCode);
const OLDER = { group_policy_open: 'group_policy_allowed', route_sender_empty: 'group_policy_empty_allowlist' };
/** A reason of today in the words of older releases. @param {{reasonCode: string, isGroup: boolean}} params @returns {string} */
export function mapChannelIngressReasonCodeToDmGroupAccessReason({ reasonCode, isGroup }) {
  const code = OLDER[reasonCode] ?? reasonCode;
  return Object.hasOwn(REASONS, code) && code !== 'dm_policy_not_allowlisted' ? code : isGroup ? 'group_policy_not_allowlisted' : 'dm_policy_not_allowlisted';
}
/** @param {any} params `ingress`, `isGroup`, `dmPolicy`, `groupPolicy` @returns {{decision: string, reasonCode: string, reason: string}} */
export function projectChannelIngressDmGroupAccess({ ingress, isGroup, dmPolicy, groupPolicy }) {
  const reasonCode = mapChannelIngressReasonCodeToDmGroupAccessReason({ reasonCode: findChannelIngressSenderReasonCode(ingress, { isGroup }), isGroup });
  const decision = reasonCode === 'dm_policy_pairing_required' ? 'pairing' : ingress.decision === 'allow' ? 'allow' : 'block';
  return { decision, reasonCode, reason: formatChannelIngressPolicyReason({ reasonCode, dmPolicy, groupPolicy }) };
}
/** @param {any} params `reasonCode`, `decisionAllowed`, `groupPolicy`, `providerMissingFallbackApplied` */
export function projectChannelIngressSenderGroupAccess({ reasonCode: given, decisionAllowed, groupPolicy, providerMissingFallbackApplied = false }) {
  const code = mapChannelIngressReasonCodeToDmGroupAccessReason({ reasonCode: given, isGroup: true });
  const named = { group_policy_disabled: 'disabled', group_policy_empty_allowlist: 'empty_allowlist', group_policy_not_allowlisted: 'sender_not_allowlisted' }[code];
  const reason = groupPolicy === 'disabled' ? 'disabled' : named ?? 'allowed';
  return { allowed: reason === 'allowed' && decisionAllowed, groupPolicy, providerMissingFallbackApplied, reason };
}

const SIDE_EFFECTS = { 'pairing-required': ['pairing-reply-sent'], skip: ['pending-history-recorded', 'local-event-handled', 'command-reply-sent'] };
/** What becomes of a message, with what the channel did about it. @param {any} decision @param {{kind: string}} sideEffect @returns {any} */
export function mapChannelIngressDecisionToTurnAdmission({ admission, reasonCode: reason }, sideEffect) {
  if (admission === 'dispatch') return { kind: 'dispatch', reason };
  if (admission === 'observe') return { kind: 'observeOnly', reason };
  if ((SIDE_EFFECTS[admission] ?? ['local-event-handled', 'command-reply-sent']).includes(sideEffect.kind)) return { kind: 'handled', reason };
  return { kind: 'drop', reason, ...(admission === 'skip' ? { recordHistory: false } : {}) };
}

function mentions({ activation } = {}) {
  if (!activation?.hasMentionFacts) return undefined;
  const { canDetectMention = false, wasMentioned = false, hasAnyMention, implicitMentionKinds, requireMention, effectiveWasMentioned, shouldSkip } = activation;
  return { canDetectMention, wasMentioned, hasAnyMention, implicitMentionKinds: implicitMentionKinds ? [...implicitMentionKinds] : undefined, requireMention, effectiveWasMentioned, shouldSkip };
}
/** A decision as facts of an inbound message. @param {any} decision @returns {any} */
export function projectIngressAccessFacts(decision) {
  const [command, activation, dm, group, event] = ['command', 'activation', 'dmSender', 'groupSender', 'event'].map((name) => findChannelIngressGate(decision, GATES[name]));
  const policy = group?.sender?.policy;
  const { shouldBlockControlCommand, useAccessGroups, allowTextCommands, modeWhenAccessGroupsOff } = command?.command ?? {};
  return {
    dm: { decision: decision.decision === 'pairing' ? 'pairing' : (dm ? dm.allowed : decision.admission !== 'drop') ? 'allow' : 'deny', reason: dm?.reasonCode ?? decision.reasonCode, allowFrom: [], allowlist: dm?.allowlist },
    group: {
      policy: policy === 'open' || policy === 'disabled' ? policy : 'allowlist', routeAllowed: !decision.graph.gates.some((gate) => gate.phase === 'route' && gate.effect === 'block-dispatch'),
      senderAllowed: group?.allowed ?? dm?.allowed ?? false, allowFrom: [], requireMention: activation?.activation?.requireMention ?? false, allowlist: group?.allowlist,
    },
    commands: command?.command ? { authorized: command.allowed, shouldBlockControlCommand, reasonCode: command.reasonCode, useAccessGroups, allowTextCommands, modeWhenAccessGroupsOff, authorizers: [] } : undefined,
    event: event?.event ? { ...event.event, authorized: event.allowed, reasonCode: event.reasonCode } : undefined,
    mentions: mentions(activation),
  };
}
/** Resolves, decides, and says it in older words. @param {any} params @returns {Promise<any>} */
export async function resolveChannelIngressAccess({ policy, effectiveAllowFrom = [], effectiveGroupAllowFrom = [], ...input }) {
  const state = await resolveChannelIngressState(input);
  const ingress = decideChannelIngress(state, policy);
  const isGroup = input.conversation.kind !== 'direct';
  const access = projectChannelIngressDmGroupAccess({ ingress, isGroup, dmPolicy: policy.dmPolicy, groupPolicy: policy.groupPolicy });
  const command = findChannelIngressCommandGate(ingress);
  return {
    state, ingress, isGroup, senderReasonCode: findChannelIngressSenderReasonCode(ingress, { isGroup }), access: { ...access, effectiveAllowFrom: [...effectiveAllowFrom], effectiveGroupAllowFrom: [...effectiveGroupAllowFrom] },
    commandAuthorized: command?.allowed === true, shouldBlockControlCommand: command?.command?.shouldBlockControlCommand === true,
  };
}
