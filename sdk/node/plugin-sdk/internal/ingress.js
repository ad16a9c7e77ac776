// Admission of inbound messages on a channel.
import { readChannelAllowFromStore } from './host.js';
import {
  accessGroupNames, createIdentityAdapter, createIdentitySubject, defineStableChannelIngressIdentity, directEntries,
  resolveAllowlist, resolveChannelIngressEffectiveAllowFromLists,
} from './ingress-lists.js';
import { decideChannelIngress } from './ingress-gates.js';
import { normalizeStringEntries, uniqueValues } from './strings.js';

export { decideChannelIngress, defineStableChannelIngressIdentity, resolveChannelIngressEffectiveAllowFromLists };

/** The routes that exist. */
export const channelIngressRoutes = (...routes) => routes.filter(Boolean);

const useGroups = ({ useAccessGroups, cfg }) => useAccessGroups ?? cfg?.commands?.useAccessGroups !== false;
const routeList = (route) => (route ? [route].flat() : []);

/** A resolver for messages, commands and events of one account. */
export function createChannelIngressResolver(base) {
  const resolve = (input, eventDefaults) => {
    const isGroup = input.conversation.kind !== 'direct';
    const event = { authMode: 'inbound', mayPair: !isGroup, ...eventDefaults, ...defined(input.event) };
    const own = input.policy ?? {};
    return resolveChannelMessageIngress({
      ...base,
      ...input,
      accountId: base.accountId,
      channelId: base.channelId,
      identity: base.identity,
      readStoreAllowFrom: base.readStoreAllowFrom,
      useDefaultPairingStore: base.useDefaultPairingStore,
      event: { kind: event.kind ?? 'message', authMode: event.authMode, mayPair: event.mayPair, ...(event.originSubject ? { originSubject: event.originSubject } : {}) },
      policy: {
        dmPolicy: input.dmPolicy ?? base.defaultDmPolicy ?? 'pairing',
        groupPolicy: input.groupPolicy ?? base.defaultGroupPolicy ?? 'disabled',
        groupAllowFromFallbackToAllowFrom: own.groupAllowFromFallbackToAllowFrom ?? base.groupAllowFromFallbackToAllowFrom,
        mutableIdentifierMatching: own.mutableIdentifierMatching ?? base.mutableIdentifierMatching,
        ...(own.activation ? { activation: own.activation } : {}),
      },
      accessGroups: base.accessGroups ?? base.cfg?.accessGroups,
      accessGroupMembership: [...(base.accessGroupMembership ?? []), ...(input.accessGroupMembership ?? [])],
      command: commandOf(input.command, useGroups(base)),
    });
  };
  return {
    message: async (input) => resolve(input),
    command: async (input) => resolve(input, { authMode: 'command', mayPair: false }),
    event: async (input) => resolve(input, { mayPair: false }),
  };
}

const defined = (record) => Object.fromEntries(Object.entries(record ?? {}).filter(([, value]) => value !== undefined));

function commandOf(given, defaultUseGroups) {
  if (!given || given.requested === false) return undefined;
  const { requested: _requested, cfg, ...command } = given;
  return {
    ...command,
    useAccessGroups: useGroups({ useAccessGroups: given.useAccessGroups ?? defaultUseGroups, cfg }),
    allowTextCommands: given.allowTextCommands ?? false,
    hasControlCommand: given.hasControlCommand ?? true,
  };
}

/** Resolves one message of a channel whose identity is stable. */
export const resolveStableChannelMessageIngress = async (params) =>
  createChannelIngressResolver({ ...params, identity: defineStableChannelIngressIdentity(params.identity) }).message(params);

/** Resolves one message: state, decision, and the decision as seen by sender, route, command and activation. */
export async function resolveChannelMessageIngress(params) {
  const channelId = params.channelId.trim();
  if (!channelId) throw new Error('Channel ingress channel id must be non-empty.');
  const { policy, command, conversation } = params;
  const isGroup = conversation.kind !== 'direct';
  const adapter = createIdentityAdapter(params.identity);
  const routeFacts = [...routeList(params.route).flatMap(factOf), ...(params.routeFacts ?? [])];
  const raw = {
    allowFrom: normalizeStringEntries(params.allowFrom),
    groupAllowFrom: normalizeStringEntries(params.groupAllowFrom),
    storeAllowFrom: normalizeStringEntries(await storeEntries(params, channelId)),
  };
  const fallback = { dmPolicy: policy.dmPolicy, groupAllowFromFallbackToAllowFrom: policy.groupAllowFromFallbackToAllowFrom };
  const effective = resolveChannelIngressEffectiveAllowFromLists({ ...raw, ...fallback });
  const normalized = {};
  for (const key of Object.keys(raw)) normalized[key] = await comparable(adapter, params.accountId, raw[key], key === 'groupAllowFrom' ? 'group' : 'dm');
  const shown = resolveChannelIngressEffectiveAllowFromLists({ ...normalized, ...fallback });
  const { effectiveGroupAllowFrom: commandGroup } = resolveChannelIngressEffectiveAllowFromLists({
    allowFrom: raw.allowFrom,
    groupAllowFrom: raw.groupAllowFrom,
    dmPolicy: policy.dmPolicy,
    groupAllowFromFallbackToAllowFrom: command?.commandGroupAllowFromFallbackToAllowFrom ?? policy.groupAllowFromFallbackToAllowFrom,
  });
  const names = accessGroupNames([...raw.allowFrom, ...raw.groupAllowFrom, ...raw.storeAllowFrom, ...(command?.commandOwnerAllowFrom ?? []), ...routeFacts.flatMap((route) => route.senderAllowFrom ?? [])]);
  const state = await resolveState({
    channelId,
    accountId: params.accountId,
    subject: createIdentitySubject(params.identity, params.subject),
    conversation,
    adapter,
    accessGroups: params.accessGroups,
    accessGroupMembership: [...(await dynamicMembership(params, channelId, names)), ...(params.accessGroupMembership ?? [])],
    routeFacts,
    mentionFacts: params.mentionFacts,
    event: params.event,
    allowlists: {
      dm: raw.allowFrom,
      group: effective.effectiveGroupAllowFrom,
      pairingStore: raw.storeAllowFrom,
      commandOwner: ownerEntries(command, isGroup, raw.allowFrom, effective.effectiveAllowFrom),
      commandGroup: isGroup || command?.directGroupAllowFrom === 'effective' ? commandGroup : [],
    },
  });
  const fullPolicy = { ...policy, ...(command === undefined ? {} : { command }) };
  const ingress = decideChannelIngress(state, fullPolicy);
  const matched = params.accessGroupMatchedAllowFromEntry ?? params.subject.stableId;
  const withMatched = (entries, list) => (matched != null && String(matched) && list.accessGroups.matched.length > 0 ? uniqueValues([...entries, String(matched)]) : entries);
  return {
    state,
    ingress,
    senderAccess: senderAccess(ingress, isGroup, {
      effectiveAllowFrom: withMatched(shown.effectiveAllowFrom, state.allowlists.dm),
      effectiveGroupAllowFrom: withMatched(shown.effectiveGroupAllowFrom, state.allowlists.group),
      providerMissingFallbackApplied: params.providerMissingFallbackApplied ?? false,
    }),
    routeAccess: routeAccess(ingress, routeList(params.route)),
    commandAccess: commandAccess(ingress, command != null),
    activationAccess: activationAccess(ingress),
  };
}

async function storeEntries({ conversation, policy, readStoreAllowFrom, useDefaultPairingStore, accountId }, channelId) {
  const { dmPolicy } = policy;
  if (conversation.kind !== 'direct' || dmPolicy === 'allowlist' || dmPolicy === 'open') return [];
  try {
    if (readStoreAllowFrom) return (await readStoreAllowFrom({ channelId, accountId, dmPolicy })) ?? [];
    return useDefaultPairingStore ? ((await readChannelAllowFromStore(channelId, undefined, accountId)) ?? []) : [];
  } catch {
    return [];
  }
}

async function comparable(adapter, accountId, entries, context) {
  const direct = directEntries(entries);
  const groups = entries.filter((entry) => !direct.includes(entry));
  if (direct.length === 0) return groups;
  const { matchable } = await adapter.normalizeEntries({ entries: direct, context, accountId });
  return uniqueValues([...groups, ...matchable.map((entry) => entry.value)]);
}

function ownerEntries(command, isGroup, configured, effective) {
  if (command?.commandOwnerAllowFrom != null) return command.commandOwnerAllowFrom;
  if (!isGroup) return effective;
  return command?.groupOwnerAllowFrom === 'none' ? [] : configured;
}

async function dynamicMembership({ resolveAccessGroupMembership, accessGroups, accountId, subject }, channelId, names) {
  const facts = [];
  for (const name of resolveAccessGroupMembership ? names : []) {
    const group = accessGroups?.[name];
    if (!group || group.type === 'message.senders') continue;
    const fact = { groupName: name, source: 'dynamic' };
    try {
      const matched = await resolveAccessGroupMembership({ name, group, channelId, accountId, subject });
      facts.push(matched ? { kind: 'matched', ...fact, matchedEntryIds: [`access-group:${name}`] } : { kind: 'not-matched', ...fact });
    } catch {
      facts.push({ kind: 'failed', ...fact, reasonCode: 'access_group_failed', diagnosticId: `access-group:${name}` });
    }
  }
  return facts;
}

function factOf(route) {
  if (route.configured === false) return [];
  const isMatched = route.matched ?? route.allowed ?? route.enabled !== false;
  const fact = (gate, effect, changes) => [{
    id: route.id,
    kind: route.kind ?? 'route',
    gate,
    effect,
    precedence: route.precedence ?? 0,
    senderPolicy: route.senderPolicy ?? 'inherit',
    senderAllowFrom: route.senderAllowFrom == null ? undefined : [...route.senderAllowFrom],
    senderAllowFromSource: route.senderAllowFromSource || undefined,
    match: { matched: isMatched, matchedEntryIds: isMatched && route.matchId ? [route.matchId] : [] },
    ...changes,
  }];
  if (route.enabled === false) return fact('disabled', 'block-dispatch');
  if (route.allowed !== undefined) return route.allowed ? fact('matched', 'allow') : fact('not-matched', 'block-dispatch');
  const denies = route.senderPolicy === 'deny-when-empty';
  if (!denies && route.senderAllowFrom == null && route.senderAllowFromSource == null) return [];
  return fact('matched', 'allow', denies ? {} : { kind: 'routeSender' });
}

/** The lists and routes of a message, resolved. @param {any} input @returns {Promise<any>} */
export async function resolveState(input) {
  const { allowlists: raw, event } = input;
  const lists = {};
  for (const [name, context] of [['dm', 'dm'], ['pairingStore', 'dm'], ['group', 'group'], ['commandOwner', 'command'], ['commandGroup', 'command']]) {
    lists[name] = await resolveAllowlist(input, raw[name], context);
  }
  const routeFacts = [];
  for (const route of [...input.routeFacts].sort((a, b) => a.precedence - b.precedence || a.id.localeCompare(b.id))) {
    const { id, kind, gate, effect, precedence, senderPolicy, match } = route;
    const entries = route.senderAllowFrom ?? { 'effective-dm': raw.dm, 'effective-group': raw.group }[route.senderAllowFromSource];
    const senderAllowlist = entries == null ? undefined : await resolveAllowlist(input, entries, 'route');
    routeFacts.push({ id, kind, gate, effect, precedence, senderPolicy, match, senderAllowlist });
  }
  return {
    channelId: input.channelId,
    accountId: input.accountId,
    conversationKind: input.conversation.kind,
    event: {
      kind: event.kind,
      authMode: event.authMode,
      mayPair: event.mayPair,
      hasOriginSubject: event.originSubject != null,
      originSubjectMatched: await isOrigin(input),
    },
    mentionFacts: input.mentionFacts,
    routeFacts,
    allowlists: { dm: lists.dm, pairingStore: lists.pairingStore, group: lists.group, commandOwner: lists.commandOwner, commandGroup: lists.commandGroup },
  };
}

/** Whether the sender is the one that an event started from. */
async function isOrigin(input) {
  const { adapter, subject, accountId, event: { originSubject: origin } } = input;
  if (!origin) return false;
  if (origin.identifiers.some((a) => subject.identifiers.some((b) => a.kind === b.kind && a.value === b.value))) return true;
  const context = input.conversation.kind === 'direct' ? 'dm' : 'group';
  const entriesOf = async ({ identifiers }) => {
    const rows = await Promise.all(identifiers.map(async ({ kind, value }) => {
      const { matchable } = await adapter.normalizeEntries({ entries: [value], context, accountId });
      return matchable.filter((entry) => entry.kind === kind && entry.value !== '*');
    }));
    return rows.flat().map((entry, index) => ({ ...entry, opaqueEntryId: `subject-${index + 1}` }));
  };
  for (const [one, other] of [[origin, subject], [subject, origin]]) {
    const entries = await entriesOf(one);
    if (entries.length > 0 && (await adapter.matchSubject({ subject: other, entries, context })).matched) return true;
  }
  return false;
}

const gateOf = ({ graph }, phase, kind) => graph.gates.find((gate) => gate.phase === phase && gate.kind === kind);

function senderAccess(ingress, isGroup, rest) {
  const gate = gateOf(ingress, 'sender', isGroup ? 'groupSender' : 'dmSender');
  const emptyRoute = !gate && isGroup && ingress.reasonCode === 'route_sender_empty' && rest.effectiveGroupAllowFrom.length === 0;
  const reasonCode = emptyRoute ? 'group_policy_empty_allowlist' : (gate?.reasonCode ?? ingress.reasonCode);
  const decision = reasonCode === 'dm_policy_pairing_required' ? 'pairing' : gate?.allowed === true ? 'allow' : 'block';
  return { allowed: decision === 'allow', decision, reasonCode, ...(gate ? { gate } : {}), ...rest };
}

function routeAccess({ graph: { gates } }, routes) {
  const block = gates.find((gate) => gate.phase === 'route' && gate.effect === 'block-dispatch');
  if (block) {
    const reason = routes.find(({ id }) => id === block.id || `${id}:sender` === block.id)?.blockReason;
    return { allowed: block.allowed, reasonCode: block.reasonCode, ...(reason ? { reason } : {}), gate: block };
  }
  const replaced = routes.find((route) => route.senderPolicy === 'replace' && route.blockReason);
  const sender = gates.find((gate) => gate.phase === 'sender' && gate.effect === 'block-dispatch');
  if (replaced && sender) return { allowed: false, reasonCode: sender.reasonCode, reason: replaced.blockReason, gate: sender };
  const gate = gates.find((candidate) => candidate.phase === 'route');
  return gate ? { allowed: gate.allowed, reasonCode: gate.reasonCode, gate } : { allowed: true };
}

function commandAccess(ingress, requested) {
  const gate = gateOf(ingress, 'command', 'command');
  return {
    requested,
    authorized: requested && gate?.allowed === true,
    shouldBlockControlCommand: gate?.command?.shouldBlockControlCommand === true,
    reasonCode: gate?.reasonCode ?? ingress.reasonCode,
    ...(gate ? { gate } : {}),
  };
}

function activationAccess(ingress) {
  const gate = gateOf(ingress, 'activation', 'mention');
  const { effectiveWasMentioned, shouldBypassMention, shouldSkip } = gate?.activation ?? {};
  return {
    ran: gate != null,
    allowed: gate?.allowed === true,
    shouldSkip: shouldSkip === true,
    reasonCode: gate?.reasonCode ?? ingress.reasonCode,
    ...(effectiveWasMentioned === undefined ? {} : { effectiveWasMentioned }),
    ...(shouldBypassMention === undefined ? {} : { shouldBypassMention }),
    ...(gate ? { gate } : {}),
  };
}
