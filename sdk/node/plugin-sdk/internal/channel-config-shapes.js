// Config adapters of channels whose settings lie in the section itself, wholly or for the default account.
import { DEFAULT_ACCOUNT_ID, normalizeAccountId } from './accounts.js';
import { createScopedAccountConfigAccessors, deleteAccountFromConfigSection, setAccountEnabledInConfigSection } from './channel-config.js';

const withSection = (cfg, key, section) => ({ ...cfg, channels: { ...cfg.channels, [key]: section } });
const setEnabled = (cfg, key, enabled) => withSection(cfg, key, { ...cfg.channels?.[key], enabled });

function withoutFields(cfg, key, fields = []) {
  const section = cfg.channels?.[key];
  if (!section) return cfg;
  return withSection(cfg, key, Object.fromEntries(Object.entries(section).filter(([name]) => !fields.includes(name))));
}

function withoutSection(cfg, key) {
  const { [key]: _gone, ...channels } = cfg.channels ?? {};
  const { channels: _channels, ...others } = cfg;
  return Object.keys(channels).length > 0 ? { ...cfg, channels } : others;
}

/** The base of a channel with one account, which is the section. @param {any} params @returns {any} */
export function createTopLevelChannelConfigBase({ sectionKey, resolveAccount, listAccountIds, defaultAccountId, inspectAccount, deleteMode, clearBaseFields }) {
  return {
    listAccountIds: (cfg) => listAccountIds?.(cfg) ?? [DEFAULT_ACCOUNT_ID],
    resolveAccount: (cfg) => resolveAccount(cfg),
    inspectAccount: inspectAccount ? (cfg) => inspectAccount(cfg) : undefined,
    defaultAccountId: (cfg) => defaultAccountId?.(cfg) ?? DEFAULT_ACCOUNT_ID,
    setAccountEnabled: ({ cfg, enabled }) => setEnabled(cfg, sectionKey, enabled),
    deleteAccount: ({ cfg }) => (deleteMode === 'clear-fields' ? withoutFields(cfg, sectionKey, clearBaseFields) : withoutSection(cfg, sectionKey)),
  };
}

/** The base of a channel whose default account is the section and whose others lie below `accounts`. @param {any} params @returns {any} */
export function createHybridChannelConfigBase({ sectionKey, listAccountIds, resolveAccount, inspectAccount, defaultAccountId, clearBaseFields, preserveSectionOnDefaultDelete }) {
  return {
    listAccountIds: (cfg) => listAccountIds(cfg),
    resolveAccount: (cfg, accountId) => resolveAccount(cfg, accountId),
    inspectAccount: inspectAccount ? (cfg, accountId) => inspectAccount(cfg, accountId) : undefined,
    defaultAccountId: (cfg) => defaultAccountId(cfg),
    setAccountEnabled({ cfg, accountId: rawId, enabled }) {
      const accountId = normalizeAccountId(rawId);
      return accountId === DEFAULT_ACCOUNT_ID ? setEnabled(cfg, sectionKey, enabled) : setAccountEnabledInConfigSection({ cfg, sectionKey, accountId, enabled });
    },
    deleteAccount({ cfg, accountId: rawId }) {
      const accountId = normalizeAccountId(rawId);
      if (accountId === DEFAULT_ACCOUNT_ID && preserveSectionOnDefaultDelete) return withoutFields(cfg, sectionKey, clearBaseFields);
      return deleteAccountFromConfigSection({ cfg, sectionKey, accountId, clearBaseFields });
    },
  };
}

const withAccessors = (base, params, resolveAccount) => ({
  ...base,
  ...createScopedAccountConfigAccessors({
    resolveAccount: params.resolveAccessorAccount ?? resolveAccount,
    resolveAllowFrom: params.resolveAllowFrom,
    formatAllowFrom: params.formatAllowFrom,
    resolveDefaultTo: params.resolveDefaultTo,
  }),
});

/** The whole config adapter of a channel with one account. @param {any} params @returns {any} */
export const createTopLevelChannelConfigAdapter = (params) => withAccessors(createTopLevelChannelConfigBase(params), params, ({ cfg }) => params.resolveAccount(cfg));
/** The whole config adapter of a channel whose default account is the section. @param {any} params @returns {any} */
export const createHybridChannelConfigAdapter = (params) =>
  withAccessors(createHybridChannelConfigBase(params), params, ({ cfg, accountId }) => params.resolveAccount(cfg, accountId));
