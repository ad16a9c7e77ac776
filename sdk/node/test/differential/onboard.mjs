// Rows for the set-up of providers and for access as older channels ask for it.
import { list, pick } from './kit.mjs';

const model = () => ({ id: pick(['m1', 'm2', 'm3']), name: pick(['A', 'B']) });
const cfg = () => ({ agents: pick([undefined, { defaults: { model: pick([undefined, 'x/y', { primary: 'x/y', fallbacks: ['a/b', 'google/gemini-3-pro'] }]), models: pick([undefined, { 'p/m1': { alias: 'One' }, 'google/gemini-3-pro': { params: { a: 1 } } }]) } }]), models: pick([undefined, { mode: 'replace', providers: { P: { baseUrl: 'old', apiKey: pick([' k ', '', { source: 'env' }]), models: pick([undefined, list(model)]), extra: 1 }, other: { models: [{ id: 'o' }] } } }]) });
const params = () => ({ providerId: 'p', api: 'openai-completions', baseUrl: 'https://b', agentModels: { 'p/m1': {} }, defaultModel: model(), defaultModels: list(model), defaultModelId: pick([undefined, 'm2']), catalogModels: list(model), aliases: pick([undefined, ['p/m1', { modelRef: 'p/m2', alias: 'Two' }]]), primaryModelRef: pick([undefined, 'p/m1']) });
const gate = () => pick([{ id: 'g', phase: 'sender', kind: 'dmSender', effect: 'allow', allowed: pick([true, false]), reasonCode: pick(['dm_policy_open', 'dm_policy_pairing_required', 'x']) }, { id: 'h', phase: 'sender', kind: 'groupSender', effect: 'allow', allowed: pick([true, false]), reasonCode: pick(['group_policy_open', 'group_policy_disabled', 'route_sender_empty']), sender: { policy: pick(['open', 'allowlist']) } }, { phase: 'command', kind: 'command', allowed: true, reasonCode: 'c', command: { shouldBlockControlCommand: pick([true, false]), useAccessGroups: true, allowTextCommands: false } }, { phase: 'activation', kind: 'mention', activation: { hasMentionFacts: pick([true, false]), requireMention: true, shouldSkip: false, implicitMentionKinds: ['reply'] } }, { phase: 'event', kind: 'event', allowed: true, reasonCode: 'e', event: { kind: 'message' } }, { phase: 'route', kind: 'route', effect: pick(['block-dispatch', 'allow']) }]);
const decision = () => ({ admission: pick(['dispatch', 'observe', 'pairing-required', 'skip', 'drop']), decision: pick(['allow', 'block', 'pairing']), reasonCode: pick(['dm_policy_allowlisted', 'group_policy_not_allowlisted', 'x']), graph: { gates: list(gate) } });
const reason = () => pick(['group_policy_open', 'group_policy_allowed', 'group_policy_disabled', 'route_sender_empty', 'group_policy_empty_allowlist', 'group_policy_not_allowlisted', 'dm_policy_open', 'dm_policy_disabled', 'dm_policy_allowlisted', 'dm_policy_pairing_required', 'dm_policy_not_allowlisted', 'other']);
const bool = () => pick([true, false]);
const policies = () => ({ dmPolicy: pick(['open', 'pairing']), groupPolicy: pick(['open', 'allowlist', 'disabled']) });
const subject = () => ({ identifiers: list(() => ({ kind: pick(['stable-id', 'name']), value: pick(['bob', ' Eve ', '*']) })) });
const asAdapter = (make) => async (options, who, entries) => {
  const adapter = make(options);
  const normal = await adapter.normalizeEntries({ entries });
  return [normal, await adapter.matchSubject({ subject: who, entries: normal.matchable })];
};

export default [
  ['provider-onboard', ['applyAgentDefaultModelPrimary'], () => [cfg(), pick(['p/m1', ' google/gemini-3-pro ', 'bare'])]],
  ['provider-onboard', ['applyOnboardAuthAgentModelsAndProviders'], () => [cfg(), { agentModels: { 'p/m1': { params: { b: 2 } } }, providers: { p: {} } }]],
  ['provider-onboard', ['applyOpencodeZenModelDefault'], () => [pick([cfg(), { agents: { defaults: { model: 'opencode/claude-opus-4-5' } } }])]],
  ['provider-onboard', ['applyProviderConfigWithDefaultModel', 'applyProviderConfigWithDefaultModels', 'applyProviderConfigWithModelCatalog', 'applyProviderConfigWithDefaultModelPreset', 'applyProviderConfigWithDefaultModelsPreset', 'applyProviderConfigWithModelCatalogPreset'], () => [cfg(), params()]],
  ['provider-onboard', ['withAgentModelAliases'], () => [pick([undefined, { 'p/m2': { alias: 'Old' } }]), ['p/m1', { modelRef: 'p/m2', alias: 'Two' }, { modelRef: 'google/gemini-3-pro' }]]],
  ['provider-onboard', ['ensureModelAllowlistEntry'], () => [{ cfg: cfg(), modelRef: pick(['', 'p/m1', 'bare', ' p/m9 ']), defaultProvider: pick([undefined, 'q']) }]],
  ['provider-onboard', ['createDefaultModelPresetAppliers', 'createDefaultModelsPresetAppliers', 'createModelCatalogPresetAppliers'], () => [{ resolveParams: pick([() => null, (_cfg, given) => given]), primaryModelRef: 'p/m3' }, cfg(), params()], undefined, 200, (make) => (options, given, more) => [make(options).applyProviderConfig(given, more), make(options).applyConfig(given, more)]],
  ['channel-ingress', ['findChannelIngressCommandGate', 'projectIngressAccessFacts'], () => [decision()]],
  ['channel-ingress', ['findChannelIngressSenderGate', 'findChannelIngressSenderReasonCode'], () => [decision(), { isGroup: bool() }]],
  ['channel-ingress', ['formatChannelIngressPolicyReason', 'mapChannelIngressReasonCodeToDmGroupAccessReason'], () => [{ reasonCode: reason(), isGroup: bool(), ...policies() }]],
  ['channel-ingress', ['projectChannelIngressDmGroupAccess'], () => [{ ingress: decision(), isGroup: bool(), ...policies() }]],
  ['channel-ingress', ['projectChannelIngressSenderGroupAccess'], () => [{ reasonCode: reason(), decisionAllowed: bool(), providerMissingFallbackApplied: pick([undefined, true]), ...policies() }]],
  ['channel-ingress', ['mapChannelIngressDecisionToTurnAdmission'], () => [decision(), { kind: pick(['none', 'pairing-reply-sent', 'pending-history-recorded', 'local-event-handled', 'command-reply-sent']) }]],
  ['channel-ingress', ['createChannelIngressSubject'], () => [pick([subject(), { value: 'x' }, { kind: 'k', value: 'y', opaqueId: 'o' }])]],
  ['channel-ingress', ['createChannelIngressPluginId'], () => [pick([' a ', ''])]],
  ['channel-ingress', ['createChannelIngressStringAdapter'], () => [pick([undefined, { kind: 'name', normalizeEntry: (value) => value.toLowerCase(), dangerous: bool(), sensitivity: 'pii' }, { resolveEntryId: ({ entry }) => `id-${entry}` }]), subject(), list(() => pick(['bob', 'EVE', '*', ' ', 3]))], undefined, 300, asAdapter],
  ['channel-ingress', ['createChannelIngressMultiIdentifierAdapter'], () => [{ normalizeEntry: (entry, index) => [{ opaqueEntryId: `e${index}`, kind: 'name', value: entry }] }, subject(), list(() => pick(['bob', '*', 'x']))], undefined, 300, asAdapter],
];
