// Questions of a channel's setup. `prompter` asks them: `text`, `select`, `confirm`, `note`.
import { DEFAULT_ACCOUNT_ID, normalizeAccountId } from './accounts.js';
import { mergeAllowFromEntries, splitSetupEntries } from './setup.js';
import {
  createNestedChannelAllowFromSetter, createTopLevelChannelAllowFromSetter, resolveParsedAllowFromEntries, resolveSetupAccountId, setAccountAllowFromForChannel,
  setAccountDmAllowFromForChannel, setAccountGroupPolicyForChannel, setLegacyChannelAllowFrom,
} from './setup-patches.js';
import { normalizeOptionalString, normalizeStringEntries } from './strings.js';

const pick = (params, ...names) => Object.fromEntries(names.filter((name) => params[name]).map((name) => [name, params[name]]));
const required = (value) => (normalizeOptionalString(value) ? undefined : 'Required');

/** Thrown by prompters when the user gives up. */
export class WizardCancelledError extends Error {
  constructor(message = 'wizard cancelled') {
    super(message);
    this.name = 'WizardCancelledError';
  }
}

/** Asks for an account: one that exists, or a new one. @param {any} params @returns {Promise<string>} */
export async function promptAccountId({ cfg, prompter, label, currentId, listAccountIds, defaultAccountId }) {
  const fresh = '__new__';
  const options = listAccountIds(cfg).map((id) => ({ value: id, label: id === DEFAULT_ACCOUNT_ID ? 'default (primary)' : id }));
  const initialValue = currentId?.trim() || defaultAccountId || DEFAULT_ACCOUNT_ID;
  const choice = await prompter.select({ message: `${label} account`, options: [...options, { value: fresh, label: 'Add a new account' }], initialValue });
  if (choice !== fresh) return normalizeAccountId(choice);
  const typed = await prompter.text({ message: `New ${label} account id`, validate: required });
  const id = normalizeAccountId(typed);
  if ((normalizeOptionalString(typed) ?? '') !== id) await prompter.note(`The account id is kept as "${id}".`, `${label} account`);
  return id;
}

/** Asks who may use groups; `null` when nothing is to change. @param {any} params @returns {Promise<{policy: string, entries: string[]}|null>} */
export async function promptChannelAccessConfig(params) {
  const { prompter, label, currentEntries = [], currentPolicy, updatePrompt, placeholder } = params;
  const initialValue = params.defaultPrompt ?? !(currentEntries?.length > 0);
  if (!(await prompter.confirm({ message: `${updatePrompt ? 'Update' : 'Configure'} ${label} access?`, initialValue }))) return null;
  const options = [
    { value: 'allowlist', label: 'Allowlist (recommended)' },
    ...(params.allowOpen === false ? [] : [{ value: 'open', label: 'Open (allow all channels)' }]),
    ...(params.allowDisabled === false ? [] : [{ value: 'disabled', label: 'Disabled (block all channels)' }]),
  ];
  const policy = await prompter.select({ message: `${label} access`, options, initialValue: currentPolicy ?? 'allowlist' });
  if (policy !== 'allowlist' || params.skipAllowlistEntries) return { policy, entries: [] };
  const shown = currentEntries?.length > 0 ? normalizeStringEntries(currentEntries).join(', ') : undefined;
  const typed = await prompter.text({ message: `${label} allowlist (comma-separated)`, placeholder, initialValue: shown });
  return { policy, entries: splitSetupEntries(String(typed ?? '')) };
}

/** Asks for senders that can be checked at once, and stores them. @param {any} params @returns {Promise<any>} */
export async function promptParsedAllowFromForAccount(params) {
  const { cfg, prompter, noteTitle, noteLines, message, placeholder, parseEntries, mergeEntries } = params;
  const accountId = resolveSetupAccountId(params);
  const existing = params.getExistingAllowFrom({ cfg, accountId });
  if (noteTitle && noteLines?.length > 0) await prompter.note(noteLines.join('\n'), noteTitle);
  const typed = await prompter.text({
    message,
    placeholder,
    initialValue: existing[0] ? String(existing[0]) : undefined,
    validate: (value) => required(value) ?? parseEntries(normalizeOptionalString(value)).error,
  });
  const { entries } = parseEntries(typed);
  return params.applyAllowFrom({ cfg, accountId, allowFrom: mergeEntries?.({ existing, parsed: entries }) ?? mergeAllowFromEntries(undefined, entries) });
}

/** The same, stored in the channel's account. @param {any} params @returns {Promise<any>} */
export const promptParsedAllowFromForScopedChannel = ({ channel, ...params }) =>
  promptParsedAllowFromForAccount({ ...params, applyAllowFrom: ({ cfg, accountId, allowFrom }) => setAccountAllowFromForChannel({ cfg, channel, accountId, allowFrom }) });

/** A prompt with everything but the configuration and the prompter. @param {any} params @returns {(request: {cfg: any, prompter: any, accountId?: string}) => Promise<any>} */
export const createPromptParsedAllowFromForAccount = ({ defaultAccountId, ...params }) => ({ cfg, prompter, accountId }) =>
  promptParsedAllowFromForAccount({ ...params, cfg, prompter, accountId, defaultAccountId: typeof defaultAccountId === 'function' ? defaultAccountId(cfg) : defaultAccountId });

const parsedPrompt = (params, listOf, setAllowFrom) =>
  createPromptParsedAllowFromForAccount({
    ...params,
    getExistingAllowFrom: ({ cfg }) => params.getExistingAllowFrom?.(cfg) ?? listOf(cfg) ?? [],
    applyAllowFrom: ({ cfg, allowFrom }) => setAllowFrom(cfg, allowFrom),
  });
/** The same over the list of a section. @param {any} params @returns {Function} */
export const createTopLevelChannelParsedAllowFromPrompt = (params) => parsedPrompt(params, (cfg) => cfg.channels?.[params.channel]?.allowFrom, createTopLevelChannelAllowFromSetter(params));
/** The same over the list of an object within a section. @param {any} params @returns {Function} */
export const createNestedChannelParsedAllowFromPrompt = (params) =>
  parsedPrompt(params, (cfg) => cfg.channels?.[params.channel]?.[params.section]?.allowFrom, createNestedChannelAllowFromSetter(params));

/** Asks until every entry is an id, or a name that can be resolved with the token. @param {any} params @returns {Promise<string[]>} */
export async function promptResolvedAllowFrom(params) {
  const { prompter, existing, token, message, placeholder, label, parseInputs, parseId, invalidWithoutTokenNote, resolveEntries } = params;
  for (;;) {
    const typed = await prompter.text({ message, placeholder, initialValue: existing[0] ? String(existing[0]) : undefined, validate: required });
    const entries = parseInputs(typed);
    const { ids, problem } = token ? await lookUp(resolveEntries, token, entries) : idsOf(entries.map((entry) => parseId(entry)), invalidWithoutTokenNote);
    if (!problem) return mergeAllowFromEntries(existing, ids);
    await prompter.note(problem, label);
  }
}

const idsOf = (ids, note) => (ids.every(Boolean) ? { ids } : { problem: note });

async function lookUp(resolveEntries, token, entries) {
  const results = await resolveEntries({ token, entries }).catch(() => null);
  if (!results) return { problem: 'The names could not be looked up. Try again.' };
  const open = results.filter(({ resolved, id }) => !resolved || !id);
  return open.length > 0 ? { problem: `Could not resolve: ${open.map(({ input }) => input).join(', ')}` } : { ids: results.map(({ id }) => id) };
}

/** The same for channels that once kept the list below `dm`. @param {any} params @returns {Promise<any>} */
export async function promptLegacyChannelAllowFrom({ cfg, channel, prompter, noteTitle, noteLines, ...params }) {
  await prompter.note(noteLines.join('\n'), noteTitle);
  const allowFrom = await promptResolvedAllowFrom({ ...params, prompter, label: noteTitle, parseInputs: splitSetupEntries });
  return setLegacyChannelAllowFrom({ cfg, channel, allowFrom });
}
/** The same for an account. @param {any} params @returns {Promise<any>} */
export function promptLegacyChannelAllowFromForAccount({ resolveAccount, resolveExisting, resolveToken, ...params }) {
  const account = resolveAccount(params.cfg, resolveSetupAccountId(params));
  return promptLegacyChannelAllowFrom({ ...params, existing: resolveExisting(account, params.cfg), token: resolveToken(account) });
}

/** Says that names could not be looked up. @param {any} params @returns {Promise<void>} */
export const noteChannelLookupFailure = async ({ prompter, label, error }) => void (await prompter.note(`The names could not be looked up; they are kept as typed. ${String(error)}`, label));

/** Says what became of names. @param {any} params @returns {Promise<void>} */
export async function noteChannelLookupSummary({ prompter, label, resolvedSections, unresolved }) {
  const lines = resolvedSections.filter(({ values }) => values.length > 0).map(({ title, values }) => `${title}: ${values.join(', ')}`);
  if (unresolved?.length > 0) lines.push(`Unresolved (kept as typed): ${unresolved.join(', ')}`);
  if (lines.length > 0) await prompter.note(lines.join('\n'), label);
}

/** The same as text. @param {{resolved: string[], unresolved: string[]}} params @returns {string|undefined} */
export function formatResolvedUnresolvedNote({ resolved, unresolved }) {
  const lines = [...(resolved.length > 0 ? [`Resolved: ${resolved.join(', ')}`] : []), ...(unresolved.length > 0 ? [`Unresolved (kept as typed): ${unresolved.join(', ')}`] : [])];
  return lines.length > 0 ? lines.join('\n') : undefined;
}

/** Resolves the entries of a group list; when that fails they stay as typed. @param {any} params @returns {Promise<any>} */
export async function resolveGroupAllowlistWithLookupNotes({ label, prompter, entries, fallback, resolve }) {
  try {
    return await resolve();
  } catch (error) {
    await noteChannelLookupFailure({ prompter, label, error });
    await noteChannelLookupSummary({ prompter, label, resolvedSections: [], unresolved: entries });
    return fallback;
  }
}

/** The allow-list section of a wizard. @param {any} params @returns {any} */
export const createAllowFromSection = (params) => ({
  ...pick(params, 'helpTitle', 'helpLines', 'credentialInputKey'),
  message: params.message,
  placeholder: params.placeholder,
  invalidWithoutCredentialNote: params.invalidWithoutCredentialNote,
  ...pick(params, 'parseInputs'),
  parseId: params.parseId,
  resolveEntries: params.resolveEntries ?? (async ({ entries }) => resolveParsedAllowFromEntries({ entries, parseId: params.parseId })),
  apply: params.apply,
});
/** The same, stored in the channel's account. @param {any} params @returns {any} */
export const createAccountScopedAllowFromSection = ({ channel, parseInputs: _own, ...params }) =>
  ({ ...createAllowFromSection({ ...params, apply: ({ cfg, accountId, allowFrom }) => setAccountDmAllowFromForChannel({ cfg, channel, accountId, allowFrom }) }), resolveEntries: params.resolveEntries });

/** The group section of a wizard, stored in the channel's account. @param {any} params @returns {any} */
export function createAccountScopedGroupAccessSection(params) {
  const { channel, label, resolveAllowlist } = params;
  return {
    label,
    placeholder: params.placeholder,
    ...pick(params, 'helpTitle', 'helpLines'),
    ...(params.skipAllowlistEntries ? { skipAllowlistEntries: true } : {}),
    currentPolicy: params.currentPolicy,
    currentEntries: params.currentEntries,
    updatePrompt: params.updatePrompt,
    setPolicy: ({ cfg, accountId, policy }) => setAccountGroupPolicyForChannel({ cfg, channel, accountId, groupPolicy: policy }),
    ...(resolveAllowlist
      ? {
          resolveAllowlist: (request) =>
            resolveGroupAllowlistWithLookupNotes({
              label, prompter: request.prompter, entries: request.entries, fallback: params.fallbackResolved(request.entries), resolve: async () => resolveAllowlist(request),
            }),
        }
      : {}),
    applyAllowlist: ({ cfg, accountId, resolved }) => params.applyAllowlist({ cfg, accountId, resolved }),
  };
}

/** How a secret may be given. @param {any} params @returns {{accountConfigured: boolean, hasConfigToken: boolean, canUseEnv: boolean}} */
export const buildSingleChannelSecretPromptState = ({ accountConfigured, hasConfigToken, allowEnv, envValue }) => ({
  accountConfigured, hasConfigToken, canUseEnv: allowEnv && Boolean(envValue?.trim()) && !hasConfigToken,
});

/** A text input for the path of a command. @param {any} params @returns {any} */
export const createCliPathTextInput = (params) => ({
  inputKey: params.inputKey,
  message: params.message,
  currentValue: params.resolvePath,
  initialValue: params.resolvePath,
  shouldPrompt: params.shouldPrompt,
  confirmCurrentValue: false,
  applyCurrentValue: true,
  ...pick(params, 'helpTitle', 'helpLines'),
});

/** Parts of a wizard that is loaded when they are used. @param {() => Promise<any>} loadWizard @returns {Function} */
export const createDelegatedFinalize = (loadWizard) => async (params) => (await loadWizard()).finalize?.(params);
/** @param {() => Promise<any>} loadWizard @returns {Function} */
export const createDelegatedPrepare = (loadWizard) => async (params) => (await loadWizard()).prepare?.(params);
/** @param {() => Promise<any>} loadWizard @returns {Function} */
export const createDelegatedResolveConfigured = (loadWizard) => async ({ cfg, accountId }) => (await loadWizard()).status.resolveConfigured({ cfg, accountId });
/** @param {() => Promise<any>} loadWizard @returns {any} */
export const createDelegatedSetupWizardStatusResolvers = (loadWizard) => ({
  resolveStatusLines: async (params) => (await loadWizard()).status.resolveStatusLines?.(params) ?? [],
  resolveSelectionHint: async (params) => (await loadWizard()).status.resolveSelectionHint?.(params),
  resolveQuickstartScore: async (params) => (await loadWizard()).status.resolveQuickstartScore?.(params),
});
/** @param {{loadWizard: () => Promise<any>, inputKey: string}} params @returns {Function} */
export const createDelegatedTextInputShouldPrompt = ({ loadWizard, inputKey }) => async (params) =>
  (await (await loadWizard()).textInputs?.find((input) => input.inputKey === inputKey)?.shouldPrompt?.(params)) ?? false;

/** A wizard whose heavy parts are loaded when they are used. @param {any} params @returns {any} */
export const createDelegatedSetupWizardProxy = ({ loadWizard, ...params }) => ({
  channel: params.channel,
  status: { ...params.status, resolveConfigured: createDelegatedResolveConfigured(loadWizard), ...createDelegatedSetupWizardStatusResolvers(loadWizard) },
  ...pick(params, 'resolveShouldPromptAccountIds'),
  ...(params.delegatePrepare ? { prepare: createDelegatedPrepare(loadWizard) } : {}),
  credentials: params.credentials ?? [],
  ...pick(params, 'textInputs'),
  ...(params.delegateFinalize ? { finalize: createDelegatedFinalize(loadWizard) } : {}),
  ...pick(params, 'completionNote', 'dmPolicy', 'disable', 'onAccountRecorded'),
});

/** A wizard whose lists are asked from one that is loaded when they are used. @param {any} params @returns {any} */
export const createAllowlistSetupWizardProxy = ({ loadWizard, createBase, fallbackResolvedGroupAllowlist }) =>
  createBase({
    promptAllowFrom: async (request) => ((await loadWizard()).dmPolicy?.promptAllowFrom ?? (({ cfg }) => cfg))(request),
    resolveAllowFromEntries: async (request) =>
      (await loadWizard()).allowFrom?.resolveEntries(request) ?? request.entries.map((input) => ({ input, resolved: false, id: null })),
    resolveGroupAllowlist: async (request) => {
      const resolve = (await loadWizard()).groupAccess?.resolveAllowlist;
      return resolve ? resolve(request) : fallbackResolvedGroupAllowlist(request.entries);
    },
  });

