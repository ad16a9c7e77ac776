// The gates that an inbound message passes, in order: route, sender, command, event, activation.
import { resolveCommandAuthorizedFromAuthorizers } from './commands.js';
import { mergeAllowlists, mergeMatches, withoutMutableEntries } from './ingress-lists.js';
import { resolveInboundMentionDecision } from './mentions.js';

function groupFailure({ accessGroups }) {
  return ['failed', 'unsupported', 'missing'].find((kind) => accessGroups[kind].length > 0);
}

const listFacts = (list, reasonCode) => ({
  configured: list.hasConfiguredEntries,
  matched: list.match.matched,
  reasonCode,
  matchedEntryIds: list.matchedEntryIds,
  invalidEntryCount: list.invalidEntries.length,
  disabledEntryCount: list.disabledEntries.length,
  accessGroups: list.accessGroups,
});

function senderGate(kind, policy, list, allowed, reasonCode) {
  return {
    id: kind === 'dmSender' ? 'sender:dm' : 'sender:group',
    phase: 'sender',
    kind,
    effect: allowed ? 'allow' : 'block-dispatch',
    allowed,
    reasonCode,
    match: list.match,
    sender: { policy },
    allowlist: listFacts(list, reasonCode),
  };
}

function directSender(state, policy) {
  const list = withoutMutableEntries(state.allowlists.dm, policy);
  const store = withoutMutableEntries(state.allowlists.pairingStore, policy);
  const gate = (allowed, reason, from = list) => senderGate('dmSender', policy.dmPolicy, from, allowed, reason);
  const { dmPolicy } = policy;
  if (dmPolicy === 'disabled') return gate(false, 'dm_policy_disabled');
  if (dmPolicy === 'open' && list.hasWildcard) return gate(true, 'dm_policy_open');
  if (list.match.matched) return gate(true, 'dm_policy_allowlisted');
  if (dmPolicy === 'open') return gate(false, 'dm_policy_not_allowlisted');
  if (dmPolicy !== 'pairing') {
    const failure = groupFailure(list);
    return gate(false, failure ? `access_group_${failure}` : 'dm_policy_not_allowlisted');
  }
  if (store.match.matched) return gate(true, 'dm_policy_allowlisted', store);
  return gate(false, state.event.mayPair ? 'dm_policy_pairing_required' : 'event_pairing_not_allowed');
}

/** The list of a group: the group's own, or the direct one, and what matched routes add or put in its place. */
function groupList(state, policy) {
  const { dm, group } = state.allowlists;
  let list = policy.groupAllowFromFallbackToAllowFrom && !group.hasConfiguredEntries ? dm : group;
  for (const route of state.routeFacts) {
    if (route.gate !== 'matched' || !route.senderAllowlist) continue;
    list = route.senderPolicy === 'inherit' ? mergeAllowlists([list, route.senderAllowlist]) : route.senderAllowlist;
  }
  return withoutMutableEntries(list, policy);
}

function groupSender(state, policy) {
  const list = groupList(state, policy);
  const gate = (allowed, reason) => senderGate('groupSender', policy.groupPolicy, list, allowed, reason);
  if (policy.groupPolicy === 'disabled') return gate(false, 'group_policy_disabled');
  if (policy.groupPolicy === 'open') return gate(true, 'group_policy_open');
  if (!list.hasConfiguredEntries) return gate(false, 'group_policy_empty_allowlist');
  if (list.match.matched) return gate(true, 'group_policy_allowed');
  const failure = groupFailure(list);
  return gate(false, failure ? `access_group_${failure}` : 'group_policy_not_allowlisted');
}

function senderFor(state, policy) {
  const gate = state.conversationKind === 'direct' ? directSender(state, policy) : groupSender(state, policy);
  if (state.event.authMode === 'inbound' || gate.allowed) return gate;
  const reasonCode = 'sender_not_required';
  return { ...gate, effect: 'ignore', allowed: true, reasonCode, allowlist: { ...gate.allowlist, reasonCode } };
}

function commandGate(state, policy) {
  const { command } = policy;
  const base = { id: 'command', phase: 'command', kind: 'command' };
  if (!command) return { ...base, effect: 'allow', allowed: true, reasonCode: 'command_authorized' };
  const { useAccessGroups = true, modeWhenAccessGroupsOff, allowTextCommands, hasControlCommand } = command;
  const owner = withoutMutableEntries(state.allowlists.commandOwner, policy);
  const group = withoutMutableEntries(state.allowlists.commandGroup, policy);
  const authorizers = [owner, group].map((list) => ({ configured: list.hasConfiguredEntries, allowed: list.match.matched }));
  const allowed = resolveCommandAuthorizedFromAuthorizers({ useAccessGroups, modeWhenAccessGroupsOff, authorizers });
  const shouldBlockControlCommand = allowTextCommands && hasControlCommand && !allowed;
  return {
    ...base,
    effect: shouldBlockControlCommand ? 'block-command' : 'allow',
    allowed,
    reasonCode: shouldBlockControlCommand ? 'control_command_unauthorized' : 'command_authorized',
    match: mergeMatches([owner.match, group.match]),
    command: { useAccessGroups, allowTextCommands, modeWhenAccessGroupsOff, shouldBlockControlCommand },
  };
}

function eventGate({ event }, sender, command) {
  let [allowed, reasonCode] = [sender.allowed, sender.allowed ? 'event_authorized' : 'event_unauthorized'];
  if (event.authMode === 'none' || event.authMode === 'route-only') [allowed, reasonCode] = [true, 'event_authorized'];
  else if (event.authMode === 'command') [allowed, reasonCode] = [command.allowed, command.allowed ? 'event_authorized' : 'event_unauthorized'];
  else if (event.authMode === 'origin-subject' && !event.hasOriginSubject) [allowed, reasonCode] = [false, 'origin_subject_missing'];
  else if (event.authMode === 'origin-subject') [allowed, reasonCode] = [event.originSubjectMatched, event.originSubjectMatched ? 'event_authorized' : 'origin_subject_not_matched'];
  return { id: 'event', phase: 'event', kind: 'event', effect: allowed ? 'allow' : 'block-dispatch', allowed, reasonCode, event };
}

function activationGate(state, policy, command) {
  const { activation } = policy;
  const { mentionFacts: facts } = state;
  let outcome = { shouldSkip: false, effectiveWasMentioned: facts && (facts.wasMentioned || Boolean(facts.implicitMentionKinds?.length)) };
  if (activation && facts) {
    outcome = resolveInboundMentionDecision({
      facts,
      policy: {
        isGroup: state.conversationKind !== 'direct',
        requireMention: activation.requireMention,
        allowedImplicitMentionKinds: activation.allowedImplicitMentionKinds,
        allowTextCommands: activation.allowTextCommands,
        hasControlCommand: policy.command?.hasControlCommand ?? false,
        commandAuthorized: command.allowed,
      },
    });
  }
  const { shouldSkip, effectiveWasMentioned, shouldBypassMention } = outcome;
  const known = (record, ...names) => Object.fromEntries(names.filter((name) => record?.[name] !== undefined).map((name) => [name, record[name]]));
  return {
    id: 'activation',
    phase: 'activation',
    kind: 'mention',
    effect: shouldSkip ? 'skip' : 'allow',
    allowed: !shouldSkip,
    reasonCode: shouldSkip ? 'activation_skipped' : 'activation_allowed',
    activation: {
      hasMentionFacts: facts != null,
      requireMention: activation?.requireMention ?? false,
      allowTextCommands: activation?.allowTextCommands ?? false,
      ...known(activation, 'allowedImplicitMentionKinds'),
      ...(activation?.order ? { order: activation.order } : {}),
      shouldSkip,
      ...known(facts, 'canDetectMention', 'wasMentioned', 'hasAnyMention', 'implicitMentionKinds'),
      ...known({ effectiveWasMentioned, shouldBypassMention }, 'effectiveWasMentioned', 'shouldBypassMention'),
    },
  };
}

function routeGates(state) {
  const gates = state.routeFacts.map(({ id, kind, effect, match }) => {
    const blocked = effect === 'block-dispatch';
    return { id, phase: 'route', kind, effect, allowed: !blocked, reasonCode: blocked ? 'route_blocked' : 'allowed', match };
  });
  const empty = state.routeFacts.find(
    (fact) => fact.senderPolicy === 'deny-when-empty' && fact.gate === 'matched' && fact.senderAllowlist?.hasConfiguredEntries !== true,
  );
  if (empty) {
    const reasonCode = 'route_sender_empty';
    const allowlist = empty.senderAllowlist ? listFacts(empty.senderAllowlist, reasonCode) : undefined;
    gates.push({ id: `${empty.id}:sender`, phase: 'route', kind: 'routeSender', effect: 'block-dispatch', allowed: false, reasonCode, match: empty.match, allowlist });
  }
  return gates;
}

/** Runs the gates until one decides. */
export function decideChannelIngress(state, policy) {
  const gates = routeGates(state);
  const decided = (gate, admission, decision) => ({ admission, decision, decisiveGateId: gate.id, reasonCode: gate.reasonCode, graph: { gates } });
  const routeBlock = gates.find((gate) => gate.effect === 'block-dispatch');
  if (routeBlock) return decided(routeBlock, 'drop', 'block');
  const pass = (gate) => {
    gates.push(gate);
    return gate;
  };
  const early = policy.activation?.order === 'before-sender' && !policy.activation.allowTextCommands;
  let activation = early ? pass(activationGate(state, policy, commandGate(state, { ...policy, command: undefined }))) : null;
  if (activation?.effect === 'skip') return decided(activation, 'skip', 'allow');
  const sender = pass(senderFor(state, policy));
  const pairing = sender.reasonCode === 'dm_policy_pairing_required';
  if (!sender.allowed) return decided(sender, pairing ? 'pairing-required' : 'drop', pairing ? 'pairing' : 'block');
  const command = pass(commandGate(state, policy));
  if (command.effect === 'block-command') return decided(command, 'drop', 'block');
  const event = pass(eventGate(state, sender, command));
  if (!event.allowed) return decided(event, 'drop', 'block');
  activation ??= pass(activationGate(state, policy, command));
  return decided(activation, activation.effect === 'skip' ? 'skip' : 'dispatch', 'allow');
}
