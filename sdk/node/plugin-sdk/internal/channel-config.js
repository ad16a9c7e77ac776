// Adapters over a channel's section of the configuration.
import { DEFAULT_ACCOUNT_ID, normalizeAccountId } from './accounts.js';
import { formatCliCommand } from './cli-name.js';
import { normalizeOptionalString } from './strings.js';

export const mapAllowFromEntries = (allowFrom) => (allowFrom ?? []).map((entry) => String(entry));
export const formatTrimmedAllowFromEntries = (allowFrom) => mapAllowFromEntries(allowFrom).map((entry) => entry.trim()).filter(Boolean);
export const resolveOptionalConfigString = (value) => (value == null ? undefined : String(value).trim() || undefined);

/** Turns `(params) => account` into `(cfg, accountId) => account`. */
export const adaptScopedAccountAccessor = (accessor) => (cfg, accountId) => accessor({ cfg, accountId });

function withSection(cfg, key, section) {
  return { ...cfg, channels: { ...cfg.channels, [key]: section } };
}

/** Switches an account on or off; the default account of a section without accounts is the section itself. */
export function setAccountEnabledInConfigSection({ cfg, sectionKey, accountId, enabled, allowTopLevel }) {
  const id = accountId || DEFAULT_ACCOUNT_ID;
  const base = cfg.channels?.[sectionKey];
  if (allowTopLevel && id === DEFAULT_ACCOUNT_ID && !base?.accounts) return withSection(cfg, sectionKey, { ...base, enabled });
  const accounts = base?.accounts ?? {};
  return withSection(cfg, sectionKey, { ...base, accounts: { ...accounts, [id]: { ...accounts[id], enabled } } });
}

/** Removes an account; removing the default account of a section without others removes the section. */
export function deleteAccountFromConfigSection({ cfg, sectionKey, accountId, clearBaseFields }) {
  const id = accountId || DEFAULT_ACCOUNT_ID;
  const base = cfg.channels?.[sectionKey];
  if (!base) return cfg;
  const accounts = base.accounts && typeof base.accounts === 'object' ? { ...base.accounts } : {};
  const hadAccounts = Object.keys(accounts).length > 0;
  delete accounts[id];
  const rest = Object.keys(accounts).length > 0 ? accounts : undefined;
  if (id !== DEFAULT_ACCOUNT_ID) return withSection(cfg, sectionKey, { ...base, accounts: rest });
  if (hadAccounts) {
    const section = { ...base, accounts: rest };
    for (const field of clearBaseFields ?? []) if (field in section) section[field] = undefined;
    return withSection(cfg, sectionKey, section);
  }
  const { [sectionKey]: _removed, ...channels } = cfg.channels;
  const { channels: _channels, ...others } = cfg;
  return Object.keys(channels).length > 0 ? { ...cfg, channels } : others;
}

/** Reading of allow lists and default targets through a resolved account. */
export function createScopedAccountConfigAccessors(params) {
  const accessors = {
    resolveAllowFrom: (ctx) => mapAllowFromEntries(params.resolveAllowFrom(params.resolveAccount(scope(ctx)))),
    formatAllowFrom: ({ allowFrom }) => params.formatAllowFrom(allowFrom),
  };
  if (params.resolveDefaultTo) {
    accessors.resolveDefaultTo = (ctx) => resolveOptionalConfigString(params.resolveDefaultTo(params.resolveAccount(scope(ctx))));
  }
  return accessors;
}

const scope = ({ cfg, accountId }) => ({ cfg, accountId });

/** The part of a channel's config adapter that lists, resolves, enables and deletes accounts. */
export function createScopedChannelConfigBase(params) {
  const { sectionKey, clearBaseFields, allowTopLevel = true, inspectAccount } = params;
  return {
    listAccountIds: (cfg) => params.listAccountIds(cfg),
    resolveAccount: (cfg, accountId) => params.resolveAccount(cfg, accountId),
    inspectAccount: inspectAccount ? (cfg, accountId) => inspectAccount(cfg, accountId) : undefined,
    defaultAccountId: (cfg) => params.defaultAccountId(cfg),
    setAccountEnabled: ({ cfg, accountId, enabled }) =>
      setAccountEnabledInConfigSection({ cfg, sectionKey, accountId: normalizeAccountId(accountId), enabled, allowTopLevel }),
    deleteAccount: ({ cfg, accountId }) =>
      deleteAccountFromConfigSection({ cfg, sectionKey, accountId: normalizeAccountId(accountId), clearBaseFields }),
  };
}

/** A channel's whole config adapter. */
export function createScopedChannelConfigAdapter(params) {
  return {
    ...createScopedChannelConfigBase(params),
    ...createScopedAccountConfigAccessors({
      resolveAccount: params.resolveAccessorAccount ?? (({ cfg, accountId }) => params.resolveAccount(cfg, accountId)),
      resolveAllowFrom: params.resolveAllowFrom,
      formatAllowFrom: params.formatAllowFrom,
      resolveDefaultTo: params.resolveDefaultTo,
    }),
  };
}

/** How an owner approves a pairing. */
export const formatPairingApproveHint = (channelId) =>
  `Approve via: ${formatCliCommand(`openclaw pairing list ${channelId}`)} / ${formatCliCommand(`openclaw pairing approve ${channelId} <code>`)}`;

/** The direct-message policy of an account, with the config paths that set it. */
export function buildAccountScopedDmSecurityPolicy(params) {
  const { cfg, channelKey, policyPathSuffix, allowFromPathSuffix } = params;
  const accountId = params.accountId ?? params.fallbackAccountId ?? DEFAULT_ACCOUNT_ID;
  const root = `channels.${channelKey}.`;
  const section = cfg.channels?.[channelKey];
  const own = section?.accounts?.[accountId];
  const inherits = params.inheritSharedDefaultsFromDefaultAccount && accountId !== DEFAULT_ACCOUNT_ID;
  const shared = inherits ? section?.accounts?.[DEFAULT_ACCOUNT_ID] : undefined;
  const fields = [simpleField(policyPathSuffix, 'dmPolicy'), simpleField(allowFromPathSuffix, 'allowFrom')].filter(Boolean);
  const sets = (config) => fields.some((field) => config?.[field] !== undefined);
  const ownPath = `${root}accounts.${accountId}.`;
  let base = own ? ownPath : root;
  if (sets(own)) base = ownPath;
  else if (sets(shared)) base = `${root}accounts.${DEFAULT_ACCOUNT_ID}.`;
  else if (sets(section)) base = root;
  return {
    policy: params.policy ?? params.defaultPolicy ?? 'pairing',
    allowFrom: params.allowFrom ?? [],
    policyPath: policyPathSuffix == null ? undefined : base + policyPathSuffix,
    allowFromPath: base + (allowFromPathSuffix ?? ''),
    approveHint: params.approveHint ?? formatPairingApproveHint(params.approveChannelId ?? channelKey),
    normalizeEntry: params.normalizeEntry,
  };
}

function simpleField(suffix, fallback) {
  if (suffix == null || suffix === '') return fallback;
  return /^[A-Za-z0-9_-]+$/.test(suffix) ? suffix : null;
}

/** A channel's `security.resolveDmPolicy`. */
export function createScopedDmSecurityResolver(params) {
  return ({ cfg, accountId, account }) => {
    const access = params.resolveAccess?.({ cfg, accountId, account });
    return buildAccountScopedDmSecurityPolicy({
      ...params,
      cfg,
      accountId,
      fallbackAccountId: params.resolveFallbackAccountId?.(account) ?? account.accountId,
      policy: access?.dmPolicy ?? params.resolvePolicy(account),
      allowFrom: access?.allowFrom ?? params.resolveAllowFrom(account) ?? [],
    });
  };
}

/** Whether people may be matched by their changeable names. */
export const isDangerousNameMatchingEnabled = (config) => config?.dangerouslyAllowNameMatching === true;

/** The same, where an account's own switch counts first. @param {{providerConfig?: any, accountConfig?: any}} params @returns {boolean} */
export const resolveDangerousNameMatchingEnabled = ({ providerConfig, accountConfig }) =>
  typeof accountConfig?.dangerouslyAllowNameMatching === 'boolean' ? accountConfig.dangerouslyAllowNameMatching : isDangerousNameMatchingEnabled(providerConfig);

/** The configuration, or an error that says who needed it. */
export function requireRuntimeConfig(config, context) {
  if (config) return config;
  throw new Error(`${context} requires a resolved runtime config. Resolve the config where the command or the gateway starts and pass it down as cfg.`);
}

/** How much context beside the message itself a channel may show. */
export function resolveChannelContextVisibilityMode({ cfg, channel, accountId, configuredContextVisibility }) {
  if (configuredContextVisibility) return configuredContextVisibility;
  const section = cfg.channels?.[channel];
  const wanted = normalizeAccountId(accountId);
  const key = Object.keys(section?.accounts ?? {}).find((id) => id === wanted) ?? Object.keys(section?.accounts ?? {}).find((id) => normalizeOptionalString(id)?.toLowerCase() === wanted);
  return section?.accounts?.[key]?.contextVisibility ?? section?.contextVisibility ?? cfg.channels?.defaults?.contextVisibility ?? 'all';
}
export const resolveDefaultContextVisibility = (cfg) => cfg.channels?.defaults?.contextVisibility;
