// Steps of a channel's setup.
import { DEFAULT_ACCOUNT_ID, normalizeAccountId } from './accounts.js';
import { normalizeStringEntries } from './strings.js';

const DOCS = 'https://docs.openclaw.ai';

/** A link to the documentation, clickable where the terminal can. */
export function formatDocsLink(target, label, options) {
  const page = typeof target === 'string' ? target.trim() : '';
  const url = page.startsWith('http') ? page : DOCS + (page && !page.startsWith('/') ? `/${page}` : page);
  return formatTerminalLink(label ?? url, url, { fallback: options?.fallback ?? url, force: options?.force });
}

export function formatTerminalLink(label, url, options) {
  const [text, href] = [label, url].map((part) => part.replaceAll('\u001b', ''));
  if (!(options?.force ?? process.stdout.isTTY)) return options?.fallback ?? `${text} (${href})`;
  return `\u001b]8;;${href}\u0007${text}\u001b]8;;\u0007`;
}

export const splitSetupEntries = (raw) => raw.split(/[\n,;]+/).map((entry) => entry.trim()).filter(Boolean);
export const mergeAllowFromEntries = (current, additions) => [...new Set(normalizeStringEntries([...(current ?? []), ...additions]))];
export const addWildcardAllowFrom = (allowFrom) => {
  const entries = normalizeStringEntries(allowFrom);
  return entries.includes('*') ? entries : [...entries, '*'];
};

const section = (cfg, key) => {
  const value = cfg.channels?.[key];
  return typeof value === 'object' && value ? value : undefined;
};
const withSection = (cfg, key, value) => ({ ...cfg, channels: { ...cfg.channels, [key]: value } });

export const setSetupChannelEnabled = (cfg, channel, enabled) => withSection(cfg, channel, { ...cfg.channels?.[channel], enabled });

/** Stores an account's name where the section keeps its accounts. */
export function applyAccountNameToChannelSection({ cfg, channelKey, accountId: rawId, name: rawName, alwaysUseAccounts }) {
  const name = rawName?.trim();
  if (!name) return cfg;
  const accountId = normalizeAccountId(rawId);
  const base = section(cfg, channelKey);
  const inAccounts = alwaysUseAccounts || accountId !== DEFAULT_ACCOUNT_ID || Object.keys(base?.accounts ?? {}).length > 0;
  if (!inAccounts) return withSection(cfg, channelKey, { ...base, name });
  const { name: _moved, ...rest } = base ?? {};
  const kept = accountId === DEFAULT_ACCOUNT_ID ? rest : (base ?? {});
  const accounts = base?.accounts ?? {};
  return withSection(cfg, channelKey, { ...kept, accounts: { ...accounts, [accountId]: { ...accounts[accountId], name } } });
}

/** Moves a section's name to its default account. */
export function migrateBaseNameToDefaultAccount({ cfg, channelKey, alwaysUseAccounts }) {
  const base = cfg.channels?.[channelKey];
  const name = base?.name?.trim();
  if (alwaysUseAccounts || !name) return cfg;
  const { name: _moved, ...rest } = base;
  const accounts = { ...base.accounts };
  const own = accounts[DEFAULT_ACCOUNT_ID] ?? {};
  if (!own.name) accounts[DEFAULT_ACCOUNT_ID] = { ...own, name };
  return withSection(cfg, channelKey, { ...rest, accounts });
}

/** Names an account, and makes room for several accounts when it is not the default one. */
export function prepareScopedSetupConfig({ cfg, channelKey, accountId, name, alwaysUseAccounts, migrateBaseName }) {
  const named = applyAccountNameToChannelSection({ cfg, channelKey, accountId, name, alwaysUseAccounts });
  if (!migrateBaseName || normalizeAccountId(accountId) === DEFAULT_ACCOUNT_ID) return named;
  return migrateBaseNameToDefaultAccount({ cfg: named, channelKey, alwaysUseAccounts });
}

/** Writes settings of an account; those of the default account go to the section itself. */
export function patchScopedAccountConfig(params) {
  const { cfg, channelKey, patch, accountPatch = patch, ensureChannelEnabled = true, scopeDefaultToAccounts } = params;
  const { ensureAccountEnabled = ensureChannelEnabled } = params;
  const accountId = normalizeAccountId(params.accountId);
  const base = { ...section(cfg, channelKey), ...(ensureChannelEnabled ? { enabled: true } : {}) };
  if (accountId === DEFAULT_ACCOUNT_ID && !scopeDefaultToAccounts) return withSection(cfg, channelKey, { ...base, ...patch });
  const accounts = base.accounts ?? {};
  const own = accounts[accountId] ?? {};
  const enabled = ensureAccountEnabled ? { enabled: typeof own.enabled === 'boolean' ? own.enabled : true } : {};
  return withSection(cfg, channelKey, { ...base, accounts: { ...accounts, [accountId]: { ...own, ...enabled, ...accountPatch } } });
}

export const applySetupAccountConfigPatch = ({ cfg, channelKey, accountId, patch }) => patchScopedAccountConfig({ cfg, channelKey, accountId, patch });

/** A setup adapter that stores, for the account, what `buildPatch` makes of the input. */
export function createPatchedAccountSetupAdapter({ channelKey, alwaysUseAccounts, validateInput, buildPatch, ...params }) {
  const { ensureChannelEnabled = !alwaysUseAccounts, ensureAccountEnabled = true } = params;
  return {
    resolveAccountId: ({ accountId }) => normalizeAccountId(accountId),
    applyAccountName: ({ cfg, accountId, name }) => applyAccountNameToChannelSection({ cfg, channelKey, accountId, name, alwaysUseAccounts }),
    validateInput,
    applyAccountConfig({ cfg, accountId, input }) {
      const migrateBaseName = !alwaysUseAccounts;
      const named = prepareScopedSetupConfig({ cfg, channelKey, accountId, name: input.name, alwaysUseAccounts, migrateBaseName });
      const patch = buildPatch(input);
      const scopeDefaultToAccounts = alwaysUseAccounts;
      return patchScopedAccountConfig({ cfg: named, channelKey, accountId, patch, ensureChannelEnabled, ensureAccountEnabled, scopeDefaultToAccounts });
    },
  };
}

/** Checks that setup input has at least one of the values that each rule asks for. */
export function createSetupInputPresenceValidator({ defaultAccountOnlyEnvError, whenNotUseEnv, validate }) {
  const present = (value) => (typeof value === 'string' ? value.trim() !== '' : value !== undefined && value !== null);
  return (params) => {
    const { input, accountId } = params;
    if (input === null || typeof input !== 'object' || Array.isArray(input)) return 'Invalid input: expected object';
    if (input.useEnv !== undefined && typeof input.useEnv !== 'boolean') return 'Invalid input: expected boolean';
    if (defaultAccountOnlyEnvError && input.useEnv && accountId !== DEFAULT_ACCOUNT_ID) return defaultAccountOnlyEnvError;
    const broken = input.useEnv ? undefined : whenNotUseEnv?.find((rule) => !rule.someOf.some((key) => present(input[key])));
    return broken ? broken.message : (validate?.(params) ?? null);
  };
}

/** The status step of a setup wizard. */
export function createStandardChannelSetupStatus(params) {
  const { channelLabel, configuredLabel, unconfiguredLabel, resolveConfigured, includeStatusLine, resolveExtraStatusLines } = params;
  const status = { configuredLabel, unconfiguredLabel, resolveConfigured };
  for (const key of ['configuredHint', 'unconfiguredHint']) if (params[key]) status[key] = params[key];
  for (const key of ['configuredScore', 'unconfiguredScore']) if (typeof params[key] === 'number') status[key] = params[key];
  if (includeStatusLine || resolveExtraStatusLines) {
    status.resolveStatusLines = async ({ cfg, accountId, configured }) => [
      ...(includeStatusLine ? [`${channelLabel}: ${configured ? configuredLabel : unconfiguredLabel}`] : []),
      ...((await resolveExtraStatusLines?.({ cfg, accountId, configured })) ?? []),
    ];
  }
  return status;
}

/** Texts of a wizard. Plugins bring their English texts as keys of the host's tables; unknown keys are shown as they are. */
export function createSetupTranslator(options) {
  const prefix = options?.keyPrefix?.replace(/\.$/, '');
  return (key, params) => {
    const scoped = prefix && !/^(?:common|wizard)\./.test(key) ? `${prefix}.${key}` : key;
    return readable(scoped).replace(/\{(\w+)\}/g, (whole, name) => (params && name in params ? String(params[name]) : whole));
  };
}

/** `wizard.zalo.botTokenHelp` -> `Bot token help`. */
function readable(key) {
  const words = key.split('.').at(-1).replace(/([a-z0-9])([A-Z])/g, '$1 $2').replace(/[_-]+/g, ' ').toLowerCase();
  return words.charAt(0).toUpperCase() + words.slice(1);
}
